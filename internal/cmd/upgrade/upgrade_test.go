package upgrade

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// world is a checkout with a recipe whose repository has one later commit.
type world struct {
	t             *testing.T
	root          string
	env           []string
	first, second string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	home := t.TempDir()
	w := &world{t: t, root: filepath.Join(home, "checkout")}
	w.env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "REDOX_CACHE=" + filepath.Join(home, "cache"), "RUSTUP_HOME=" + filepath.Join(home, "rustup")}
	repo := filepath.Join(home, "repo")
	commit := func(text string) string {
		w.write(filepath.Join(repo, "a.rs"), text)
		w.git(repo, "add", "-A")
		w.git(repo, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "x")
		return w.git(repo, "rev-parse", "HEAD")
	}
	w.write(filepath.Join(repo, "README"), "")
	w.git(repo, "init", "--quiet")
	w.first = commit("fn open_file(x: u8) {}\n")
	w.second = commit("fn open_path_file(x: u8) {}\n")
	w.write(filepath.Join(w.root, "toolchain/toolchain.toml"), "set = \"now\"\n[toolchain]\nchannel = \"nightly-2026-01-02\"\n")
	w.write(filepath.Join(w.root, "recipes/tool/recipe.toml"), "description = \"x\"\npatches = [\"fix\"]\n[source]\ngit = \"file://"+repo+"\"\ncommit = \""+w.first+"\" # here\n")
	w.write(filepath.Join(w.root, "patches/fix/0001-a.toml"), "title = \"t\"\nreason = \"r\"\n[[edit]]\nfile = \"a.rs\"\nanchor = \"fn open_file(\"\nwhere = \"before\"\ntext = \"// ours\\n\"\n")
	w.write(filepath.Join(w.root, "recipes/lock.toml"), "# old\n")
	return w
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, w.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.root, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// files are those that an upgrade changes.
func (w *world) files() string {
	return w.read("recipes/tool/recipe.toml") + w.read("patches/fix/0001-a.toml") + w.read("recipes/lock.toml")
}

func (w *world) run(dryRun bool, f Flags) (string, error) {
	w.t.Helper()
	stderr, err := os.Create(filepath.Join(w.t.TempDir(), "stderr"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer stderr.Close()
	var out bytes.Buffer
	s, err := session.Open(config.Flags{DryRun: &dryRun}, w.env, w.root, false, session.Streams{Out: &out, Err: stderr})
	if err != nil {
		w.t.Fatal(err)
	}
	f.Lock = func(context.Context, *session.Session) error {
		w.write(filepath.Join(w.root, "recipes/lock.toml"), "# new\n")
		return nil
	}
	err = Run(w.t.Context(), s, f)
	said, _ := os.ReadFile(stderr.Name())
	return out.String() + string(said), err
}

func TestAnUpgradeThatDoesNotPassLeavesNothing(t *testing.T) {
	w := newWorld(t)
	before := w.files()
	said, err := w.run(true, Flags{})
	if err != nil || w.files() != before || !strings.Contains(said, "dry run") || !strings.Contains(said, "fn open_path_file(") {
		t.Errorf("%v\n%s", err, said)
	}
	tried := func(_ context.Context, s *session.Session, names []string) error {
		recipes, err := s.Recipes()
		if err != nil || recipes["tool"].Source.Commit != w.second || strings.Join(names, " ") != "tool" || !strings.Contains(w.files(), "# new") {
			t.Errorf("what is tried is not what was upgraded: %v %v", err, names)
		}
		return errors.New("it does not boot")
	}
	if said, err = w.run(false, Flags{Try: tried}); err == nil || !strings.Contains(err.Error(), "it does not boot") || w.files() != before {
		t.Errorf("%v\n%s\n%s", err, said, w.files())
	}
	if !strings.Contains(w.read("out/upgrade/now/report.md"), "did not pass") {
		t.Error("the report does not say so")
	}
	// A source that moves on meanwhile is not followed: the same upgrade is tried again.
	repo := filepath.Join(filepath.Dir(w.root), "repo")
	w.git(repo, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "later")
	passed := func(context.Context, *session.Session, []string) error { return nil }
	if said, err = w.run(false, Flags{Try: passed}); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, want := range []string{`commit = "` + w.second + `" # here`, `fn open_path_file\\(`, "# new"} {
		if !strings.Contains(w.files(), want) {
			t.Errorf("no %s in\n%s", want, w.files())
		}
	}
	if report := w.read("out/upgrade/now/report.md"); !strings.Contains(report, "release set now") || !strings.Contains(report, "passed the boot tests") {
		t.Error(report)
	}
	if said, err = w.run(true, Flags{}); err != nil || strings.Contains(said, "tool "+w.first[:9]) {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestAConflictKeepsEverythingBack(t *testing.T) {
	w := newWorld(t)
	w.write(filepath.Join(w.root, "patches/fix/0002-b.toml"), "title = \"t\"\nreason = \"r\"\n[[edit]]\nfile = \"gone.rs\"\nanchor = \"x\"\nwhere = \"before\"\ntext = \"// ours\\n\"\n")
	before := w.files()
	said, err := w.run(false, Flags{Try: func(context.Context, *session.Session, []string) error { t.Error("it is tried"); return nil }})
	var blocked *BlockedError
	if !errors.As(err, &blocked) || w.files() != before || !strings.Contains(said, "gone.rs: conflict: no such file in the source") {
		t.Errorf("%v\n%s", err, said)
	}
	if err := os.Remove(filepath.Join(w.root, "patches/fix/0002-b.toml")); err != nil {
		t.Fatal(err)
	}
	if said, err = w.run(false, Flags{}); err != nil || !strings.Contains(said, "Nothing was built") || w.files() == before {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestAnUpgradeThatWasKilledIsPutBackFirst(t *testing.T) {
	w := newWorld(t)
	before := w.files()
	killed := func(context.Context, *session.Session, []string) error { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_, _ = w.run(false, Flags{Try: killed})
	}()
	if w.files() == before {
		t.Fatal("it was killed too early")
	}
	said, err := w.run(true, Flags{})
	if err != nil || w.files() != before || !strings.Contains(said, "did not come to its end") {
		t.Errorf("%v\n%s", err, said)
	}
}
