package patch

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// repository is a git repository whose work tree is written from a MapTree.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t, t.TempDir()}
	r.git("init", "-q")
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	out, err := r.try(args...)
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

func (r *repository) try(args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return stderr.String(), err
	}
	return string(out), nil
}

// put makes the work tree the files.
func (r *repository) put(files MapTree) {
	r.t.Helper()
	put(r.t, r.dir, files)
}

func (r *repository) commit(files MapTree, message string) {
	r.t.Helper()
	r.put(files)
	r.git("add", "-A", "-f", ".")
	r.git("commit", "-q", "--allow-empty", "-m", message)
}

func put(t *testing.T, dir string, files MapTree) {
	t.Helper()
	tr, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for name := range read(t, dir) {
		if err := tr.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range files {
		if err := tr.WriteFile(name, f); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, dir string) MapTree {
	t.Helper()
	tr, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	names, err := tr.List()
	if err != nil {
		t.Fatal(err)
	}
	files := MapTree{}
	for _, name := range names {
		if files[name], err = tr.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// same compares trees; an empty file is one whether its data is nil or not.
func same(a, b MapTree) string {
	return cmp.Diff(fmt.Sprintf("%q", flat(a)), fmt.Sprintf("%q", flat(b)))
}

func flat(files MapTree) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		all = append(all, fmt.Sprintf("%s %t %t %s", name, f.Executable, f.Link, f.Data))
	}
	return all
}

// world makes random trees and changes of them.
type world struct {
	*rand.Rand
	monotonous bool // lines repeat
}

func (w world) of(words ...string) string { return words[w.IntN(len(words))] }

func (w world) path() string {
	return w.of("a", "b", "run.sh", "with space", "ä ö", "q\"uote", "tab\there") + w.of("", "", "1")
}

func (w world) name() string { return w.of("", "", "src/", "src/deep/", "d é/") + w.path() }

func (w world) line() string {
	if w.monotonous {
		return w.of("x\n", "x\n", "x\n", "y\n")
	}
	return w.of("", "}", "fn x() {", "-- a list", "++ more", "@@ -1 +1 @@", "diff --git a/a b/a", "From 0123456789012345678901234567890123456789 Mon", "x", "y") + w.of("", "", fmt.Sprint(w.IntN(40))) + w.of("\n", "\n", "\n", "\n", "\r\n")
}

func (w world) text() []byte {
	var b strings.Builder
	for range w.IntN(40) {
		b.WriteString(w.line())
	}
	b.WriteString(w.of("", "", "", "no newline"))
	return []byte(b.String())
}

func (w world) file() File {
	switch w.IntN(12) {
	case 0:
		return File{}
	case 1:
		data := make([]byte, 1+w.IntN(300))
		for i := range data {
			data[i] = byte(w.IntN(256))
		}
		return File{Data: append(data, 0)}
	case 2:
		return File{Data: []byte(w.of("a", "b", "run.sh", "nowhere")), Link: true}
	}
	return File{Data: w.text(), Executable: w.IntN(4) == 0}
}

func (w world) edited(f File) File {
	lines := strings.SplitAfter(string(f.Data), "\n")
	if f.Link || len(lines) < 4 {
		return w.file()
	}
	for range 1 + w.IntN(3) {
		at := w.IntN(len(lines))
		switch w.IntN(3) {
		case 0:
			lines = slices.Insert(lines, at, w.line())
		case 1:
			lines = slices.Delete(lines, at, at+1)
		default:
			lines[at] = w.line()
		}
		if len(lines) == 0 {
			break
		}
	}
	f.Data = []byte(strings.Join(lines, ""))
	return f
}

// free says whether a file can be at a path beside the others.
func free(files MapTree, name string) bool {
	for other := range files {
		if other == name || strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/") {
			return false
		}
	}
	return true
}

func (w world) tree() MapTree {
	files := MapTree{}
	for range 3 + w.IntN(6) {
		if name := w.name(); free(files, name) {
			files[name] = w.file()
		}
	}
	return files
}

// changed is the tree after some changes.
func (w world) changed(files MapTree) MapTree {
	files = maps.Clone(files)
	for range 1 + w.IntN(4) {
		names := slices.Sorted(maps.Keys(files))
		if len(names) == 0 {
			return w.tree()
		}
		name, to := names[w.IntN(len(names))], w.name()
		f := files[name]
		switch w.IntN(9) {
		case 0, 1, 2:
			files[name] = w.edited(f)
		case 3:
			f.Executable = !f.Link && !f.Executable
			files[name] = f
		case 4:
			f.Executable = !f.Link && !f.Executable
			files[name] = w.edited(f)
		case 5:
			delete(files, name)
			if free(files, name+"/x") && w.IntN(4) == 0 {
				files[name+"/x"] = w.file()
			}
		case 6:
			if free(files, to) {
				files[to] = w.file()
			}
		case 7: // rename, and over what is there: git sees a swap as two
			delete(files, name)
			if other, ok := files[to]; ok {
				files[name] = other
			}
			if delete(files, to); free(files, to) {
				files[to] = f
			}
		case 8:
			if free(files, to) {
				files[to] = f
				if w.IntN(2) == 0 {
					files[to] = w.edited(f)
				}
				if w.IntN(2) == 0 {
					files[name] = w.edited(f)
				}
			}
		}
	}
	return files
}

// TestLikeGit: whatever series git format-patch makes of random trees, applying
// it gives the tree that git has, wherever in the series one begins.
func TestLikeGit(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { likeGit(t, world{rand.New(rand.NewPCG(seed, 7)), seed%4 == 0}) })
	}
}

func likeGit(t *testing.T, w world) {
	r := newRepository(t)
	states := []MapTree{w.tree()}
	r.commit(states[0], "base")
	for i := range 1 + w.IntN(3) {
		next := w.changed(states[i])
		for same(states[i], next) == "" {
			next = w.changed(states[i])
		}
		states = append(states, next)
		r.commit(next, fmt.Sprintf("change %d\n\n--- before\n+++ after\n@@ -1 +1 @@\n", i+1))
	}
	s := series(t, w.formatPatch(r, len(states)-1)...)
	last := states[len(states)-1]
	for i, from := range states {
		tr := maps.Clone(from)
		if _, err := apply(s, tr); err != nil {
			t.Fatalf("from state %d: %v", i, err)
		}
		if diff := same(last, tr); diff != "" {
			t.Fatalf("from state %d:\n%s", i, diff)
		}
	}
	dir := t.TempDir()
	put(t, dir, states[0])
	tr, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := apply(s, tr); err != nil {
		t.Fatal(err)
	}
	if diff := same(last, read(t, dir)); diff != "" {
		t.Errorf("in a folder:\n%s", diff)
	}
	likeGitElsewhere(t, w, r, s, w.changed(states[0]))
}

// formatPatch returns the names and contents of the series.
func (w world) formatPatch(r *repository, n int) []string {
	args := []string{"format-patch", fmt.Sprintf("-%d", n), w.of("-M", "-C", "--no-renames"), w.of("--find-copies-harder", "-C40%"), w.of("-U3", "-U1", "-U10"), w.of("--no-full-index", "--full-index"), "--no-base", w.of("--stat", "-p")}
	if w.IntN(2) == 0 {
		return []string{"all.patch", r.git(append(args, "--stdout")...)}
	}
	out := r.t.TempDir()
	r.git(append(args, "-o", out)...)
	var all []string
	names, _ := filepath.Glob(out + "/*.patch")
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, path.Base(name), string(data))
	}
	return all
}

// likeGitElsewhere: where the source is another one, either both apply and make
// the same of it, or the series is refused and nothing is changed.
func likeGitElsewhere(t *testing.T, w world, r *repository, s *Series, source MapTree) {
	tr := maps.Clone(source)
	rep, err := apply(s, tr)
	if rep == nil {
		t.Fatal(err)
	}
	if err != nil {
		if diff := same(source, tr); diff != "" {
			t.Fatalf("%v, and yet:\n%s", err, diff)
		}
		return
	}
	if rep.Count(Satisfied) > 0 {
		return // git apply knows no such thing
	}
	dir := t.TempDir()
	put(t, dir, source)
	plain := &repository{t, dir}
	for _, p := range s.Patches {
		for _, c := range p.Unified.commits {
			var text strings.Builder
			for _, d := range c.diffs {
				text.WriteString(d.text)
			}
			file := filepath.Join(t.TempDir(), "x.patch")
			if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			if message, err := plain.try("apply", "--whitespace=nowarn", file); err != nil {
				t.Fatalf("git refuses what is applied here: %s", message)
			}
		}
	}
	if diff := same(read(t, dir), tr); diff != "" {
		t.Error(diff)
	}
}
