package edit

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/git"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is a source with series of patches, under edit.
type place struct {
	t       *testing.T
	edits   Edits
	patches string
	series  []string
	source  map[string]string
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		check(t, errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)))
	}
}

func newPlace(t *testing.T, source map[string]string, patches map[string]string, series ...string) *place {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	p := &place{t: t, patches: filepath.Join(dir, "patches"), series: series, source: source,
		edits: Edits{Dir: filepath.Join(dir, "src"), Git: git.Git{Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost"}}}}
	write(t, p.patches, patches)
	return p
}

func (p *place) begin() *Edit {
	p.t.Helper()
	e, err := p.edits.Begin(p.t.Context(), Begin{Recipe: "r", Source: "a source", Patches: os.DirFS(p.patches), Series: p.series,
		Lay: func(dir string) error { write(p.t, dir, p.source); return nil }})
	check(p.t, err)
	return e
}

func (p *place) git(e *Edit, args ...string) {
	p.t.Helper()
	if _, err := e.run(p.t.Context(), args...); err != nil {
		p.t.Fatal(err)
	}
}

// finish writes the patches back, and takes the source anew to see that they lead to the same.
func (p *place) finish(e *Edit, f Finish) *Written {
	p.t.Helper()
	f.Patches, f.Series = p.patches, p.series
	w, err := e.Plan(p.t.Context(), f)
	check(p.t, err)
	defer w.Close()
	check(p.t, w.Publish())
	p.series = w.Series
	head, err := e.tree(p.t.Context(), "HEAD")
	check(p.t, err)
	_, err = p.edits.Aside(p.t.Context(), e, time.Unix(0, 0))
	check(p.t, err)
	again := p.begin()
	got, err := again.tree(p.t.Context(), "HEAD")
	check(p.t, err)
	if differ(head, got) != nil {
		p.t.Errorf("the patches lead to something else: %q", differ(head, got))
	}
	return w
}

const first = "title = \"first\"\nreason = \"it is\"\n[[edit]]\nfile = \"a.rs\"\nanchor = \"one\"\nwhere = \"replace\"\ntext = \"uno\"\n"

// TestCommitsBecomePatches: what a user does, and the files of patches/ that change by it.
func TestCommitsBecomePatches(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(p *place, e *Edit)
		form Form
		new  string
		want string // Kind and Path of each file
	}{
		"nothing": {func(*place, *Edit) {}, "", "", ""},
		"a commit": {func(p *place, e *Edit) {
			write(p.t, e.Dir, map[string]string{"a.rs": "uno\ntwo\nthree\n"})
			p.git(e, "commit", "-qam", "more\n\nwhy")
		}, "", "", "new s/0002-more.toml"},
		"a commit as a diff": {func(p *place, e *Edit) {
			write(p.t, e.Dir, map[string]string{"a.rs": "uno\ntwo\nthree\n"})
			p.git(e, "commit", "-qam", "more")
		}, AsUnified, "", "new s/0002-more.patch"},
		"a commit in a new series": {func(p *place, e *Edit) {
			write(p.t, e.Dir, map[string]string{"b.rs": "b\n"})
			p.git(e, "add", "b.rs")
			p.git(e, "commit", "-qm", "Äh")
		}, "", "t", "new t/0001-h.toml"},
		"a changed patch": {func(p *place, e *Edit) {
			write(p.t, e.Dir, map[string]string{"a.rs": "eins\ntwo\n"})
			p.git(e, "commit", "-qa", "--amend", "--no-edit")
		}, "", "", "rewritten s/0001-first.toml"},
		"other words": {func(p *place, e *Edit) {
			p.git(e, "commit", "-q", "--amend", "-m", "first of all\n\nit was\n\nPatch: s/0001-first.toml")
		}, "", "", "rewritten s/0001-first.toml"},
		"a patch that is gone, and another": {func(p *place, e *Edit) {
			p.git(e, "reset", "-q", "--hard", "HEAD~1")
			write(p.t, e.Dir, map[string]string{"a.rs": "eins\ntwo\n"})
			p.git(e, "commit", "-qam", "other")
		}, "", "", "removed s/0001-first.toml, new s/0002-other.toml"},
		"what is no text": {func(p *place, e *Edit) {
			write(p.t, e.Dir, map[string]string{"b.bin": "\x00\x01"})
			p.git(e, "add", "b.bin")
			p.git(e, "commit", "-qm", "binary")
		}, "", "", "new s/0002-binary.patch"},
		"a removed file": {func(p *place, e *Edit) {
			p.git(e, "rm", "-q", "gone.rs")
			p.git(e, "commit", "-qm", "without")
		}, "", "", "new s/0002-without.patch"},
		"a file that the source ignores": {func(p *place, e *Edit) {
			write(p.t, e.Dir, map[string]string{"ignored": "other\n"})
			p.git(e, "commit", "-qam", "seen all the same")
		}, "", "", "new s/0002-seen-all-the-same.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, map[string]string{"a.rs": "one\ntwo\n", "gone.rs": "x\n", ".gitignore": "ignored\n", "ignored": "i\n", ".gitattributes": "* text=auto eol=crlf\n", "crlf": "a\r\nb\r\n"},
				map[string]string{"s/0001-first.toml": first}, "s")
			e := p.begin()
			c.do(p, e)
			w := p.finish(e, Finish{Form: c.form, New: c.new})
			var got []string
			for _, f := range w.Files {
				got = append(got, f.Kind+" "+f.Path)
			}
			if len(got) > 0 && c.new == "" && strings.Join(got, ", ") != c.want && strings.Join([]string{got[len(got)-1], got[0]}, ", ") != c.want || c.new != "" && strings.Join(got, ", ") != c.want || len(got) == 0 && c.want != "" {
				t.Errorf("%q, want %q; %q", got, c.want, w.Remarks)
			}
		})
	}
}

// TestFinishRefuses: what a user would lose, or what no patch can be.
func TestFinishRefuses(t *testing.T) {
	for want, do := range map[string]func(p *place, e *Edit){
		"in no commit": func(p *place, e *Edit) { write(p.t, e.Dir, map[string]string{"new.rs": "n\n"}) },
		"is a merge": func(p *place, e *Edit) {
			p.git(e, "checkout", "-q", "-b", "x", "HEAD~1")
			write(p.t, e.Dir, map[string]string{"b.rs": "n\n"})
			p.git(e, "add", ".")
			p.git(e, "commit", "-qm", "x")
			p.git(e, "checkout", "-q", branchName)
			p.git(e, "merge", "-q", "--no-edit", "x")
		},
		"do not begin with": func(p *place, e *Edit) { p.git(e, "checkout", "-q", "--orphan", "x"); p.git(e, "commit", "-qm", "x") },
		"is not what it was": func(p *place, e *Edit) {
			write(p.t, p.patches, map[string]string{"s/0001-first.toml": strings.Replace(first, "uno", "un", 1)})
		},
		"had 1 files and has 2": func(p *place, e *Edit) { write(p.t, p.patches, map[string]string{"s/0002-x.toml": first}) },
		"applied before": func(p *place, e *Edit) {
			p.git(e, "checkout", "-q", "-B", branchName, e.Base)
			write(p.t, e.Dir, map[string]string{"b.rs": "n\n"})
			p.git(e, "add", ".")
			p.git(e, "commit", "-qm", "new and first")
			p.git(e, "cherry-pick", e.Top)
		},
		"no commit is left of": func(p *place, e *Edit) { p.git(e, "reset", "-q", "--hard", e.Base) },
	} {
		t.Run(want, func(t *testing.T) {
			p := newPlace(t, map[string]string{"a.rs": "one\ntwo\n"}, map[string]string{"s/0001-first.toml": first}, "s")
			e := p.begin()
			do(p, e)
			before, err := filesOf(filepath.Join(p.patches, "s"))
			check(t, err)
			w, err := e.Plan(t.Context(), Finish{Patches: p.patches, Series: p.series})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, %+v", err, w)
			}
			if after, err := filesOf(filepath.Join(p.patches, "s")); err != nil || len(after) != len(before) {
				t.Errorf("patches were written: %v %v", after, err)
			}
		})
	}
}

// TestNothingIsLost: whatever of a user's is in a repository, it is kept; one with nothing of that is removed.
func TestNothingIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(p *place, e *Edit)
		kept bool
	}{
		"nothing":         {func(*place, *Edit) {}, false},
		"what cargo made": {func(p *place, e *Edit) { write(p.t, e.Dir, map[string]string{"target/x": "x"}) }, false},
		"a new file":      {func(p *place, e *Edit) { write(p.t, e.Dir, map[string]string{"x": "x"}) }, true},
		"a changed file":  {func(p *place, e *Edit) { write(p.t, e.Dir, map[string]string{"a.rs": "x"}) }, true},
		"a commit":        {func(p *place, e *Edit) { p.git(e, "commit", "-q", "--allow-empty", "-m", "x") }, true},
		"a stash":         {func(p *place, e *Edit) { write(p.t, e.Dir, map[string]string{"a.rs": "x"}); p.git(e, "stash", "-q") }, true},
		"a branch": {func(p *place, e *Edit) {
			p.git(e, "checkout", "-q", "-b", "x")
			p.git(e, "commit", "-q", "--allow-empty", "-m", "x")
			p.git(e, "checkout", "-q", branchName)
		}, true},
		"a patch less": {func(p *place, e *Edit) { p.git(e, "reset", "-q", "--hard", "HEAD~1") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, map[string]string{"a.rs": "one\ntwo\n"}, map[string]string{"s/0001-first.toml": first}, "s")
			e := p.begin()
			c.do(p, e)
			at, err := p.edits.Aside(t.Context(), e, time.Unix(0, 0))
			check(t, err)
			if _, err := os.Stat(e.Dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the edit is still there: %v", err)
			}
			if _, err := os.Stat(filepath.Join(at, ".git")); (at != "") != c.kept || c.kept && err != nil {
				t.Errorf("%q %v", at, err)
			}
			if c.kept { // with the source anew nothing is in the way
				p.begin()
			}
		})
	}
}

// TestPatchesOfEveryFormStayAsTheyAre: an edit in which nothing was done leaves every file of the series as it was, satisfied patches included.
func TestPatchesOfEveryFormStayAsTheyAre(t *testing.T) {
	diff := "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nFrom: A <a@localhost>\nDate: Thu, 1 Jan 1970 00:00:00 +0000\nSubject: [PATCH] by a diff\n\nwith words\n---\n" +
		"diff --git a/b.rs b/b.rs\nnew file mode 100755\n--- /dev/null\n+++ b/b.rs\n@@ -0,0 +1 @@\n+b\n"
	p := newPlace(t, map[string]string{"a.rs": "one\ntwo\n"}, map[string]string{
		"s/0001-first.toml":     first,
		"s/0002-satisfied.toml": strings.NewReplacer("first", "satisfied", "one", "zwei", "uno", "two").Replace(first),
		"s/0003-diff.patch":     diff,
		"t/0001-new.toml":       "title = \"new\"\nreason = \"r\"\n[[file]]\npath = \"c.rs\"\nfrom = \"c.txt\"\n",
		"t/c.txt":               "c\n",
	}, "s", "t")
	if w := p.finish(p.begin(), Finish{}); len(w.Files)+len(w.Remarks) > 0 {
		t.Errorf("%+v %q", w.Files, w.Remarks)
	}
}

// TestACommitUponAPatchBelongsIntoIt: the series has to know its own result, so what changes a patch's own text is that patch.
func TestACommitUponAPatchBelongsIntoIt(t *testing.T) {
	p := newPlace(t, map[string]string{"a.rs": "one\ntwo\n"}, map[string]string{"s/0001-first.toml": first}, "s")
	e := p.begin()
	write(t, e.Dir, map[string]string{"a.rs": "eins\ntwo\n"})
	p.git(e, "commit", "-qam", "fixup! first")
	_, err := e.Plan(t.Context(), Finish{Patches: p.patches, Series: p.series})
	if err == nil || !strings.Contains(err.Error(), "git rebase -i makes it a fixup of the patch's commit") {
		t.Error(err)
	}
	p.git(e, "-c", "sequence.editor=true", "rebase", "-q", "-i", "--autosquash", e.Base)
	if w := p.finish(e, Finish{}); len(w.Files) != 1 || w.Files[0] != (File{"s/0001-first.toml", "rewritten"}) {
		t.Errorf("%+v", w.Files)
	}
}
