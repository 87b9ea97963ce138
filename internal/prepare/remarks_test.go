package prepare

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/symlink"
	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// gitEnv is the environment of git in tests: nothing of the user's configuration.
func gitEnv() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@localhost", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@localhost")
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, gitEnv()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commit makes a repository of a folder and returns its commit.
func commit(t *testing.T, dir string) string {
	t.Helper()
	runGit(t, dir, "init", "-q")
	runGit(t, dir, "add", "-A", "-f")
	runGit(t, dir, "commit", "-q", "--allow-empty", "-m", "one")
	return runGit(t, dir, "rev-parse", "HEAD")
}

// sourcesOf are the Sources of one recipe x with the keys of its [source], and the notices they give.
func sourcesOf(t *testing.T, text string) (s *Sources, notices *[]string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "x")
	r, err := recipe.Parse(filepath.Join(dir, recipe.FileName), []byte("description = \"x\"\n[source]\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	notices = &[]string{}
	return newSources(t, func(o *Options) {
		o.Recipes = recipe.Set{"x": r}
		o.Fetcher = &source.Fetcher{Store: t.TempDir(), Git: git.Git{Env: gitEnv()}}
		o.Notice = func(line string) { *notices = append(*notices, line) }
	}), notices
}

// outcome is the tree of the source of x, and what was said of it.
func outcome(t *testing.T, text string) (*Sources, *cas.Tree, string, error) {
	t.Helper()
	s, notices := sourcesOf(t, text)
	n, err := s.Source("x")
	if err != nil {
		t.Fatal(err)
	}
	var root cas.Digest
	if n.Resolve != nil {
		root, err = n.Resolve(t.Context(), nil)
	} else {
		root, err = n.Run(t.Context(), &graph.Job{Log: io.Discard, Status: func(string) {}, Notice: func(line string) { *notices = append(*notices, line) }})
	}
	if err != nil {
		return s, nil, "", err
	}
	tree, err := s.o.Store.LoadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	return s, tree, strings.Join(*notices, "\n"), nil
}

// A folder, a repository and an archive with the same in them are the same tree, with the same said of it; what one may not have,
// no other may.
func TestATreeIsTheSameHoweverItComes(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
	for name, test := range map[string]struct {
		files map[string]string // "->…" is a link
		left  []string          // without these
		says  string
		fails string
	}{
		"links":     {map[string]string{"f": "x", "d/up": "->../f", "abs": "->/usr/bin/env", "gone": "->none"}, nil, "", ""},
		"a way out": {map[string]string{"d/a": "->..", "d/b": "->a/.."}, nil, "", "d/b leads out of the tree, by way of d/a -> .."},
		"names":     {map[string]string{"f": "x", "caf\xe9.txt": "x", "caf\xe9/deep": "x", "l": "->caf\xe9.txt"}, []string{"caf\xe9.txt", "caf\xe9/deep", "l"}, "is not UTF-8", ""},
		"pointers":  {map[string]string{".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "logo.bin": pointer, "f": "x"}, nil, "the content of \"logo.bin\" is kept elsewhere by Git LFS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for p, text := range test.files {
				p = filepath.Join(dir, p)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Skipf("this file system takes no such names: %v", err)
				}
				var err error
				if target, link := strings.CutPrefix(text, "->"); link {
					err = os.Symlink(target, p)
				} else {
					err = os.WriteFile(p, []byte(text), 0o644)
				}
				if err != nil {
					t.Skipf("this file system takes no such names: %v", err)
				}
			}
			runGit(t, dir, "init", "-q")
			runGit(t, dir, "config", "filter.lfs.clean", "cat")
			at := commit(t, dir)
			archive := filepath.Join(t.TempDir(), "x.tar")
			runGit(t, dir, "archive", "-o", archive, "HEAD")
			var first *cas.Tree
			for _, from := range []string{fmt.Sprintf("git = %q\ncommit = %q\n", dir, at), "archive = \"" + archive + "\"\nsha256 = \"" + sumOf(t, archive) + "\"\n", fmt.Sprintf("path = %q\n", relative(t, dir))} {
				_, tree, notices, err := outcome(t, from)
				if test.fails != "" {
					if err == nil || !strings.Contains(err.Error(), test.fails) || !strings.Contains(err.Error(), "overrides.toml") {
						t.Errorf("%s%v", from, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s%v", from, err)
				}
				if (test.says == "") != (notices == "") || !strings.Contains(notices, test.says) {
					t.Errorf("%ssaid: %s", from, notices)
				}
				if first == nil {
					first = tree
				}
				if diff := cas.Diff(first, tree); len(diff) > 0 {
					t.Errorf("%sis another tree: %v", from, diff)
				}
				for p := range test.files {
					if _, there := tree.Entries[p]; there == slices.Contains(test.left, p) {
						t.Errorf("%s%q: there %v", from, p, there)
					}
				}
			}
		})
	}
}

// sumOf is a file's SHA-256.
func sumOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return cas.DigestBytes(text).Hash
}

// relative is a folder as the recipe x of sourcesOf has to name it: from the temporary folder of another test.
func relative(t *testing.T, dir string) string {
	t.Helper()
	return strings.Repeat("../", 30) + strings.TrimPrefix(dir, "/")
}

// Folders of somebody else's: each is taken with all its links, or refused for those that lead out.
func TestNoLinkOfAFolderLeadsOut(t *testing.T) {
	s, _ := sourcesOf(t, "path = \".\"\n")
	taken := 0
	for seed := range uint64(300) {
		tree := symlinktest.Generate(rand.New(rand.NewPCG(seed, 3)), true)
		dir := t.TempDir()
		if err := tree.Make(dir); err != nil {
			t.Fatal(err)
		}
		root, err := s.captureFolder(t.Context(), dir)
		if refused := len(symlink.Leaving(tree.Links)) > 0; refused != (err != nil) {
			t.Errorf("seed %d: %v for %v", seed, err, tree)
		}
		if err != nil {
			continue
		}
		taken++
		got, err := s.o.Store.LoadTree(root)
		if err != nil {
			t.Fatal(err)
		}
		for p, target := range tree.Links {
			if got.Entries[p].Link != target {
				t.Errorf("seed %d: %s -> %q in %v", seed, p, got.Entries[p].Link, tree)
			}
		}
	}
	if taken < 30 {
		t.Errorf("%d trees were taken: this shows little", taken)
	}
}

func TestSubmodulesThatAreNotListedAreNamed(t *testing.T) {
	sub := t.TempDir()
	writeFile(t, sub+"/Cargo.toml", "[package]\n")
	subCommit := commit(t, sub)
	dir := t.TempDir()
	runGit(t, dir, "init", "-q")
	runGit(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub, "ext/inner")
	at := commit(t, dir)
	lines := fmt.Sprintf("[source.submodules.\"ext/inner\"]\n    git = %q\n    commit = %q", sub, subCommit)
	from := fmt.Sprintf("git = %q\ncommit = %q\n", dir, at)

	s, tree, notices, err := outcome(t, from)
	if err != nil || !strings.Contains(notices, lines) || !strings.Contains(notices, "x/recipe.toml") {
		t.Fatalf("%v, said: %s", err, notices)
	}
	root, err := s.o.Store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("cargo failed")
	err = s.Explain(t.Context(), s.o.Recipes["x"], root, "", failure)
	if !errors.Is(err, failure) || !strings.HasPrefix(err.Error(), "cargo failed\n  note: ") || !strings.Contains(err.Error(), lines) {
		t.Errorf("%v", err)
	}
	if err := s.Explain(t.Context(), s.o.Recipes["x"], root, "", nil); err != nil {
		t.Errorf("no failure: %v", err)
	}
	if empty, err := s.EmptySubmodules(root); err != nil || !slices.Equal(empty, []string{"ext/inner"}) {
		t.Errorf("%q, %v", empty, err)
	}
	// The lines are those that the recipe takes, and then there is no notice.
	listed, listedNotices := sourcesOf(t, from+strings.ReplaceAll(lines, "    ", ""))
	n, err := listed.Source("x")
	if err != nil {
		t.Fatal(err)
	}
	in := graph.Outputs{}
	for _, dep := range n.Deps {
		if in[dep], err = dep.Run(t.Context(), &graph.Job{Log: io.Discard, Status: func(string) {}}); err != nil {
			t.Fatal(err)
		}
	}
	if root, err = n.Resolve(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if empty, err := listed.EmptySubmodules(root); err != nil || len(empty)+len(*listedNotices) > 0 {
		t.Errorf("%q, %v, said: %q", empty, err, *listedNotices)
	}
	// A folder of the user's is filled in another way.
	if err := os.RemoveAll(dir + "/ext/inner"); err != nil {
		t.Fatal(err)
	}
	folder, folderTree, _, err := outcome(t, fmt.Sprintf("path = %q\n", relative(t, dir)))
	if err != nil {
		t.Fatal(err)
	}
	if root, err = folder.o.Store.PutTree(folderTree); err != nil {
		t.Fatal(err)
	}
	if err := folder.Explain(t.Context(), folder.o.Recipes["x"], root, "", failure); !strings.Contains(err.Error(), "git submodule update --init") {
		t.Errorf("%v", err)
	}
}

func TestAConfigurationThatIsNotReadIsNamed(t *testing.T) {
	s, _ := sourcesOf(t, "path = \".\"\n")
	failure := errors.New("BOARD is not defined")
	for name, test := range map[string]struct{ dir, text, want string }{
		".cargo/config.toml":     {"", "[env]\nBOARD = \"virt\"\n[build]\nrustflags = []\n", ".cargo/config.toml (with build, env)"},
		"ws/.cargo/config":       {"ws/member", "[source.x]\ndirectory = \"vendor\"\n", "ws/.cargo/config (with source)"},
		"other/.cargo/config":    {"ws/member", "[env]\nA = \"b\"\n", ""},
		"ws/.cargo/config.toml":  {"ws", "[alias]\nx = \"run\"\n[net]\nretry = 1\n", ""},
		"a/b/.cargo/config.toml": {"a/b", "no TOML", ""},
	} {
		root := stored(t, s, map[string]string{name: test.text, "f": ""})
		err := s.Explain(t.Context(), s.o.Recipes["x"], root, test.dir, failure)
		if !errors.Is(err, failure) || (test.want == "") != (err == failure) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A link of the source and one of a patch, each of which stays inside by itself.
func TestAPatchDoesNotLeadOutByWayOfTheSource(t *testing.T) {
	const adds = "diff --git a/x/b b/x/b\nnew file mode 120000\n--- /dev/null\n+++ b/x/b\n@@ -0,0 +1 @@\n+a/..\n\\ No newline at end of file\n"
	for target, want := range map[string]string{"..": "with the patches the link x/b leads out of the tree, by way of x/a -> ..", "c": "", "/usr": ""} {
		s := newSources(t, func(o *Options) { o.Patches = fstest.MapFS{"p/0001-b.patch": {Data: []byte(adds)}} })
		tree := cas.NewTree()
		tree.Entries["x/a"] = cas.Entry{Link: target}
		root, err := s.o.Store.PutTree(tree)
		if err != nil {
			t.Fatal(err)
		}
		all, _, err := s.series([]string{"p"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.applyPatches(t.Context(), &graph.Job{Log: io.Discard, Status: func(string) {}}, root, all)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("x/a -> %s: %v", target, err)
		}
	}
}

// A socket that an editor left in an override is left out, and said.
func TestSpecialFilesOfAFolderAreLeftOut(t *testing.T) {
	var said []string
	s := newSources(t, func(o *Options) { o.Notice = func(line string) { said = append(said, line) } })
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "f"), "x")
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := s.captureFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.o.Store.LoadTree(root)
	if err != nil || len(tree.Entries) != 1 || len(said) != 1 || !strings.Contains(said[0], `left out: "pipe": a device, a socket or a pipe`) {
		t.Errorf("%v, %q, %v", tree, said, err)
	}
}
