package cargoedit

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares the files below dir that were given with those in
// testdata/<name>.golden.txtar; the report is kept there as the comment.
func golden(t *testing.T, name, dir string, given []file, report *Report) {
	t.Helper()
	var got []file
	comment := ""
	for _, e := range report.Edits {
		comment += "edit " + e.File + " " + e.Key + ": " + e.From + " -> " + e.To + "\n"
	}
	for _, l := range report.Lock {
		comment += "lock " + l.File + " " + l.Name + ": " + l.From + " -> " + l.To + "\n"
	}
	for _, r := range report.Resolve {
		comment += "resolve " + r.File + ": " + strings.ReplaceAll(r.Why, dir, "DIR") + "\n"
	}
	for _, f := range given {
		data, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != f.text {
			got = append(got, file{f.name, string(data)})
		}
	}
	text := format(comment, got)
	name = filepath.Join("testdata", name+".golden.txtar")
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (run with -update if this is right):\n%s", name, diff)
	}
}

func TestReplace(t *testing.T) {
	files := parse(t, "replace")
	dir := extract(t, files)
	tree := dir + "/src"
	reps := []Replacement{
		{URL: "https://h.example/relibc", Dir: dir + "/relibc", As: "../deps/relibc"},
		{URL: "https://h.example/object.git/", Version: "0.36.7"},
		{URL: "https://h.example/gone", Remove: true},
		{URL: "https://h.example/libc.git", Remove: true},
		{URL: "https://h.example/near", Dir: dir + "/near"},
		{URL: "https://h.example/unused", Remove: true},
	}
	report, err := Replace(tree, reps)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "replace", dir, files, report)
	again, err := Replace(tree, reps)
	if err != nil || !again.Empty() || again.NeedsResolve("Cargo.lock") {
		t.Errorf("a second time: %+v, %v", again, err)
	}
}

// Cargo takes manifests and lock files that begin with a byte order mark: they are edited as others are, and a manifest keeps it.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	edit := func(prefix string) map[string]string {
		t.Helper()
		files := parse(t, "replace")
		for i := range files {
			files[i].text = prefix + files[i].text
		}
		dir := extract(t, files)
		if _, err := Replace(dir+"/src", []Replacement{{URL: "https://h.example/relibc", Dir: dir + "/relibc", As: "../deps/relibc"}, {URL: "https://h.example/gone", Remove: true}}); err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, f.name))
			if err != nil {
				t.Fatal(err)
			}
			if rest, ok := strings.CutPrefix(string(text), mark); ok == (prefix == mark) || filepath.Base(f.name) == lockName {
				texts[f.name] = rest
			} else {
				t.Errorf("%s lost its mark", f.name)
			}
		}
		return texts
	}
	if diff := cmp.Diff(edit(""), edit(mark)); diff != "" {
		t.Error(diff)
	}
	var at *FileError
	dir := extract(t, []file{{"Cargo.toml", mark + "a = \n"}})
	if _, err := Prune(dir, []string{"a"}); !errors.As(err, &at) || at.File != filepath.Join(dir, "Cargo.toml") || !strings.Contains(err.Error(), ": 1:") {
		t.Errorf("%v", err)
	}
}

func TestReplaceErrors(t *testing.T) {
	files := parse(t, "replace")
	dir := extract(t, files)
	_, err := Replace(dir+"/src", []Replacement{
		{URL: "https://h.example/relibc", Dir: dir + "/near"},
		{URL: "https://h.example/relibc.git", Remove: true},
		{URL: "https://h.example/near", Dir: dir + "/src/none"},
		{URL: "https://h.example/object"},
		{URL: "https://h.example/gone", Dir: dir + "/orphan"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"relibc.git is replaced twice", "src/none", `"https://h.example/object": exactly one`, "orphan/Cargo.toml: the workspace it inherits"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported", want)
		}
	}
	if _, err := Replace(dir+"/src", []Replacement{{URL: "https://h.example/relibc", Dir: dir + "/near"}}); err == nil || !strings.Contains(err.Error(), "has no package redox-rt") {
		t.Errorf("missing package: %v", err)
	}
	for _, f := range files {
		if data, err := os.ReadFile(filepath.Join(dir, f.name)); err != nil || string(data) != f.text {
			t.Errorf("%s was changed by a failing replacement", f.name)
		}
	}
}

func TestPrune(t *testing.T) {
	files := parse(t, "prune")
	dir := extract(t, files)
	report, err := Prune(dir, []string{"first", "tools/second"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "prune", dir, files, report)
	again, err := Prune(dir, []string{"first", "second"})
	if err != nil || !again.Empty() || again.NeedsResolve(lockName) {
		t.Errorf("a second time: %+v, %v", again, err)
	}
}

func TestPruneErrors(t *testing.T) {
	files := parse(t, "prune")
	dir := extract(t, files)
	_, err := Prune(dir, []string{"first", "typo", "third"})
	if err == nil || !strings.Contains(err.Error(), `no member "typo"`) || !strings.Contains(err.Error(), `no member "third"`) || !strings.Contains(err.Error(), "first, ") {
		t.Errorf("%v", err)
	}
	if _, err := Prune(dir+"/first", nil); err == nil || !strings.Contains(err.Error(), "not the root of a workspace") {
		t.Errorf("%v", err)
	}
}

func TestLockRoundTrip(t *testing.T) {
	for _, f := range parse(t, "locks") {
		l, err := ParseLock([]byte(f.text))
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		if diff := cmp.Diff(f.text, string(l.Bytes())); diff != "" {
			t.Errorf("%s:\n%s", f.name, diff)
		}
	}
	for _, bad := range []string{"x", "version = 5\n", "[[package]]\nname = \"a\"\n", "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\"b\"]\n"} {
		if _, err := ParseLock([]byte(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestGitDependencies(t *testing.T) {
	l, err := ParseLock([]byte(parse(t, "locks")[0].text))
	if err != nil {
		t.Fatal(err)
	}
	want := []GitDependency{
		{URL: "https://h.example/a.git", Commit: strings.Repeat("1", 40), Source: "git+https://h.example/a.git?branch=x#" + strings.Repeat("1", 40), Packages: []string{"twice"}},
		{URL: "https://h.example/b", Commit: strings.Repeat("2", 40), Source: "git+https://h.example/b#" + strings.Repeat("2", 40), Packages: []string{"one", "two"}},
	}
	if diff := cmp.Diff(want, l.GitDependencies()); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte("version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock(data)
		if err != nil {
			return
		}
		l.GitDependencies()
		if len(l.Packages) > 0 {
			l.retain(l.Packages[:1])
		}
		l.Bytes()
	})
}

// TestCargoTakesTheLock asks cargo itself: a git dependency that became a path
// needs no new lock when versions agree.
func TestCargoTakesTheLock(t *testing.T) {
	for _, program := range []string{"cargo", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	files := parse(t, "cargo")
	dir := extract(t, files)
	home := t.TempDir()
	run := func(in, program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = filepath.Join(dir, in)
		cmd.Env = append(os.Environ(), "CARGO_HOME="+home, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@localhost", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@localhost")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", program, args, err, out)
		}
		return string(out)
	}
	run("lib", "git", "init", "-q")
	run("lib", "git", "add", ".")
	run("lib", "git", "commit", "-qm", "x")
	url := "file://" + filepath.ToSlash(dir) + "/lib"
	manifest := filepath.Join(dir, "src", "one", manifestName)
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, []byte(strings.ReplaceAll(string(data), "URL", url)), 0o644); err != nil {
		t.Fatal(err)
	}
	run("src", "cargo", "generate-lockfile")
	if lock, err := readLock(filepath.Join(dir, "src", lockName)); err != nil || len(lock.GitDependencies()) != 1 {
		t.Fatalf("the lock has no git dependency: %v %v", lock, err)
	}

	report, err := Replace(dir+"/src", []Replacement{{URL: url, Dir: dir + "/lib"}})
	if err != nil || report.NeedsResolve(lockName) || len(report.Edits) != 1 {
		t.Fatalf("%+v %v", report, err)
	}
	if err := os.RemoveAll(home + "/git"); err != nil {
		t.Fatal(err)
	}
	run("src", "cargo", "metadata", "--format-version=1", "--locked", "--offline")
	pruned, err := Prune(dir+"/src", []string{"two"})
	if err != nil || len(pruned.Edits) != 1 || len(pruned.Lock) != 3 {
		t.Fatalf("%+v %v", pruned, err)
	}
	run("src", "cargo", "metadata", "--format-version=1", "--locked", "--offline")
}
