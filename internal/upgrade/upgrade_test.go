package upgrade

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// world is a checkout with one recipe, "base", whose repository has later commits than the recipe's.
type world struct {
	t    *testing.T
	dir  string
	repo string
	env  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, repo: filepath.Join(dir, "base.git-work")}
	w.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	return w
}

// commit makes a commit of these files (and no others) on a day, and returns its id.
func (w *world) commit(repo, day string, files map[string]string) string {
	w.t.Helper()
	if _, err := os.Stat(filepath.Join(repo, ".git")); err != nil {
		w.git(repo, day, "init", "--quiet", "--initial-branch=main")
	}
	w.git(repo, day, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
	for name, text := range files {
		w.write(filepath.Join(repo, name), text)
	}
	w.git(repo, day, "add", "-A")
	w.git(repo, day, "commit", "--quiet", "--allow-empty", "-m", day)
	return w.git(repo, day, "rev-parse", "HEAD")
}

func (w *world) git(repo, day string, args ...string) string {
	w.t.Helper()
	if err := os.MkdirAll(repo, 0o755); err != nil {
		w.t.Fatal(err)
	}
	when := day + "T12:00:00Z"
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = repo
	cmd.Env = append(w.env, "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "checkout", name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// recipe writes the recipe, and the checkout in a release set: its tables.
func (w *world) checkout(text string, tables ...string) *Checkout {
	w.t.Helper()
	root := filepath.Join(w.dir, "checkout")
	w.write(filepath.Join(root, "recipes/base/recipe.toml"), text)
	set, err := recipe.LoadAll(filepath.Join(root, "recipes"), recipe.Releases{"june": {"june"}})
	if err != nil {
		w.t.Fatal(err)
	}
	c := &Checkout{Root: root, Patches: filepath.Join(root, "patches"), Recipes: set.In(tables...), Channel: "nightly-2026-01-02", Users: map[string]int{"fix": 1}}
	if len(tables) > 0 {
		c.Set = tables[len(tables)-1]
	}
	return c
}

func (w *world) patch(name, body string) {
	w.write(filepath.Join(w.dir, "checkout/patches/fix", name), "title = \"t\" # mine\nreason = \"r\"\n\n"+body)
}

func (w *world) upstream() Upstream {
	g := git.Git{Env: w.env}
	return Upstream{
		Git:       drift.Git{Git: g, Dir: filepath.Join(w.dir, "upstream")},
		Fetcher:   &source.Fetcher{Store: filepath.Join(w.dir, "sources"), Git: g, Env: w.env, Replaced: &source.Replaced{}, Notice: func(string) {}},
		Overrides: &source.Overrides{},
	}
}

func (w *world) look(c *Checkout, goal string, kept map[string]string) *Plan {
	w.t.Helper()
	to, err := ParseGoal(goal)
	if err != nil {
		w.t.Fatal(err)
	}
	plan, err := c.Look(context.Background(), w.upstream(), nil, to, kept)
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}

const old = "fn open_file(path: &str) {\n    work(path);\n}\n\nfn other() {}\n"

func (w *world) recipeAt(commit string) string {
	return "description = \"x\" # kept\npatches = [\"fix\"]\n\n[source]\ngit = \"file://" + w.repo + "\"\ncommit = \"" + commit + "\" # here\n"
}

const insert = "[[edit]]\nfile = \"src/a.rs\"\nanchor = \"fn open_file(\"\nwhere = \"before\"\ntext = \"// ours\\n\"\n"

func TestASourceMovesToTheHeadOrToADay(t *testing.T) {
	w := newWorld(t)
	first := w.commit(w.repo, "2026-01-01", map[string]string{"src/a.rs": old})
	second := w.commit(w.repo, "2026-03-01", map[string]string{"src/a.rs": old + "// march\n"})
	third := w.commit(w.repo, "2026-06-01", map[string]string{"src/a.rs": old + "// june\n", "rust-toolchain.toml": "[toolchain]\nchannel = \"nightly-2026-05-24\"\n"})
	w.patch("0001-a.toml", insert)
	c := w.checkout(w.recipeAt(first))
	for goal, want := range map[string]struct {
		to      string
		commits int
	}{"": {third, 2}, "head": {third, 2}, "2026-03-31": {second, 1}, "2026-03-01": {second, 1}, second: {second, 1}, "2026-01-15": {first, 0}} {
		plan := w.look(c, goal, nil)
		m := plan.Moves[0]
		if m.To != want.to || m.Commits != want.commits || m.Problem != "" || len(m.Conflicts) > 0 {
			t.Errorf("%s: %+v, want %+v", goal, m, want)
		}
		if text := string(plan.Files["recipes/base/recipe.toml"]); want.commits > 0 && text != w.recipeAt(want.to) {
			t.Errorf("%s: %s", goal, text)
		}
	}
	if m := w.look(c, "", nil).Moves[0]; m.Channel != "nightly-2026-05-24" || m.FromDate != "2026-01-01" || m.ToDate != "2026-06-01" {
		t.Errorf("%+v", m)
	}
	// One that goes on does not move on.
	if m := w.look(c, "", map[string]string{"base": second}).Moves[0]; m.To != second {
		t.Errorf("%+v", m)
	}
	if plan := w.look(c, "2020-01-01", nil); plan.Blocked() != 1 || !strings.Contains(plan.Moves[0].Problem, "no commit of 2020-01-01") || plan.Files != nil {
		t.Errorf("%+v", plan)
	}
}

func TestWhatBecomesOfASeries(t *testing.T) {
	for name, c := range map[string]struct {
		patch, later, want, file string
		conflict                 string
	}{
		"a renamed function": {
			patch: insert, later: strings.Replace(old, "open_file(path", "open_path_file(path", 1), want: `anchor = "fn open_file\\(|fn open_path_file\\("`,
		},
		"a renamed function, and two that are like it": {
			patch: insert, later: "fn open_files(path: &str) {}\nfn open_filed(path: &str) {}\n", conflict: "occurs 0 times",
		},
		"a moved file": {patch: insert, later: old, file: "lib/src/a.rs", want: `file = "lib/src/a.rs"`},
		"a changed callee": {
			patch: insert + "context = [\"work(path)\"]\n", later: strings.Replace(old, "work(path)", "work(path, 1)", 1), conflict: `[there is ", 1" besides]`,
		},
		"what is replaced": {
			patch: "[[edit]]\nfile = \"src/a.rs\"\nanchor = \"work(path);\"\nwhere = \"replace\"\ntext = \"rest(path);\"\n", later: strings.Replace(old, "work(path)", "work(path, 1)", 1), conflict: "occurs 0 times",
		},
		"a mended bug": {patch: insert + "satisfied = '// theirs'\n", later: "// theirs\n" + old},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first := w.commit(w.repo, "2026-01-01", map[string]string{"src/a.rs": old})
			file := "src/a.rs"
			if c.file != "" {
				file = c.file
			}
			w.commit(w.repo, "2026-06-01", map[string]string{file: c.later})
			w.patch("0001-a.toml", c.patch)
			plan := w.look(w.checkout(w.recipeAt(first)), "", nil)
			m := plan.Moves[0]
			if m.Problem != "" || (len(m.Conflicts) > 0) != (c.conflict != "") || c.conflict != "" && !strings.Contains(m.Conflicts[0], c.conflict) {
				t.Fatalf("%+v", m)
			}
			text := string(plan.Files["patches/fix/0001-a.toml"])
			if (c.want != "") != (text != "") || !strings.Contains(text, c.want) || text != "" && !strings.HasPrefix(text, "title = \"t\" # mine\n") {
				t.Errorf("the patch is\n%s\nwant %s in it", text, c.want)
			}
			if c.conflict == "" && m.Series[0].Superfluous != (name == "a mended bug") {
				t.Errorf("%+v", m.Series)
			}
			if report := plan.Markdown("june", "Done."); !strings.Contains(report, "| base | "+first[:9]+" 2026-01-01 |") || c.conflict != "" && !strings.Contains(report, "**conflict**") {
				t.Error(report)
			}
		})
	}
}

func TestSubmodulesFollow(t *testing.T) {
	w := newWorld(t)
	inner := filepath.Join(w.dir, "inner")
	one := w.commit(inner, "2026-01-01", map[string]string{"a": "1"})
	two := w.commit(inner, "2026-02-01", map[string]string{"a": "2"})
	at := func(day string, links map[string]string) string {
		modules := ""
		for path := range links {
			modules += "[submodule \"" + path + "\"]\n\tpath = " + path + "\n\turl = file://" + inner + "\n"
		}
		w.commit(w.repo, day, map[string]string{"src/a.rs": old, ".gitmodules": modules})
		for path, commit := range links {
			w.git(w.repo, day, "update-index", "--add", "--cacheinfo", "160000,"+commit+","+path)
		}
		w.git(w.repo, day, "commit", "--quiet", "--amend", "-m", "x")
		return w.git(w.repo, day, "rev-parse", "HEAD")
	}
	first := at("2026-01-01", map[string]string{"moves": one, "goes": one})
	third := at("2026-06-01", map[string]string{"moves": two, "new": two})
	w.patch("0001-a.toml", insert)
	submodule := func(path, commit string) string {
		return "\n[source.submodules." + path + "]\ngit = \"file://" + inner + "\"\ncommit = \"" + commit + "\"\n"
	}
	plan := w.look(w.checkout(w.recipeAt(first)+submodule("moves", one)+submodule("goes", one)), "", nil)
	want := w.recipeAt(third) + submodule("moves", two) + "\n" + submodule("new", two)
	got := string(plan.Files["recipes/base/recipe.toml"])
	squeeze := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, "\n\n\n", "\n\n"), "\n\n\n", "\n\n")
	}
	if diff := cmp.Diff(squeeze(want), squeeze(got)); diff != "" {
		t.Errorf("%s\n%+v", diff, plan.Moves)
	}
}

// The first part of a recipe is what other sets have: a set that inherits gets a table of its own.
func TestASetThatInheritsGetsATableOfItsOwn(t *testing.T) {
	w := newWorld(t)
	first := w.commit(w.repo, "2026-01-01", map[string]string{"src/a.rs": old})
	second := w.commit(w.repo, "2026-06-01", map[string]string{"src/a.rs": old + "//\n"})
	w.patch("0001-a.toml", insert)
	plan := w.look(w.checkout(w.recipeAt(first), "june"), "", nil)
	want := w.recipeAt(first) + "\n[set.june.source]\ngit = \"file://" + w.repo + "\"\ncommit = \"" + second + "\"\n"
	if diff := cmp.Diff(want, string(plan.Files["recipes/base/recipe.toml"])); diff != "" {
		t.Error(diff)
	}
	plan = w.look(w.checkout(want, "june"), "", nil)
	if m := plan.Moves[0]; !m.Stays() || m.From != second {
		t.Errorf("%+v", m)
	}
}

func TestTheJournalPutsEverythingBack(t *testing.T) {
	w := newWorld(t)
	root, dir := filepath.Join(w.dir, "checkout"), filepath.Join(w.dir, "journal")
	w.write(filepath.Join(root, "a"), "old a")
	w.write(filepath.Join(root, "lock"), "old lock")
	j, err := OpenJournal(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	plan := &Plan{Moves: []Move{{Recipe: "base", To: "c1"}, {Recipe: "far", To: "c2", Problem: "no"}}}
	if err := j.Decide("to=", plan); err != nil {
		t.Fatal(err)
	}
	if err := j.Write(map[string][]byte{"a": []byte("new a"), "made/b": []byte("new b")}, "lock"); err == nil || w.read("a") != "old a" {
		t.Fatal("a file was written into a folder that is not there")
	}
	if err := j.Write(map[string][]byte{"a": []byte("new a"), "b": []byte("new b")}, "lock"); err != nil {
		t.Fatal(err)
	}
	w.write(filepath.Join(root, "lock"), "new lock")
	// Killed here: whoever comes next knows.
	if j, err = OpenJournal(root, dir); err != nil || !j.Open() {
		t.Fatal(err)
	}
	if err := j.Restore(); err != nil {
		t.Fatal(err)
	}
	if w.read("a") != "old a" || w.read("lock") != "old lock" {
		t.Error("not what it was")
	}
	if _, err := os.Stat(filepath.Join(root, "b")); err == nil {
		t.Error("a new file has stayed")
	}
	if j, err = OpenJournal(root, dir); err != nil || j.Open() {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"base": "c1"}, j.Kept("to=")); diff != "" || j.Kept("to=head") != nil {
		t.Errorf("%s %v", diff, j.Kept("to=head"))
	}
	if err := j.Write(map[string][]byte{"a": []byte("new a")}); err != nil {
		t.Fatal(err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	if j, err = OpenJournal(root, dir); err != nil || j.Open() || j.Kept("to=") != nil || w.read("a") != "new a" {
		t.Error("it is not over")
	}
}

func TestGoals(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "head": true, "2026-06-05": true, strings.Repeat("a", 40): true, "main": false, "2026-02-30": false, "abc123": false} {
		if _, err := ParseGoal(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	w := newWorld(t)
	c := w.checkout("description = \"x\"\nsource.path = \".\"\n")
	if _, err := c.Look(context.Background(), w.upstream(), []string{"base"}, Goal{}, nil); err == nil || !strings.Contains(err.Error(), "no repository of its own") {
		t.Error(err)
	}
	if _, err := c.Look(context.Background(), w.upstream(), nil, Goal{Commit: strings.Repeat("a", 40)}, nil); err == nil || !strings.Contains(err.Error(), "name the recipe") {
		t.Error(err)
	}
}
