package patch

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	diffA = `--- a/a
+++ b/a
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
`
	diffOnA = `--- a/a
+++ b/a
@@ -1,3 +1,4 @@
 one
-TWO
+zwei
+deux
 three
`
	diffNew = `diff --git a/new b/new
new file mode 100755
--- /dev/null
+++ b/new
@@ -0,0 +1 @@
+fresh
`
	diffRename = `diff --git a/a b/dir/b
similarity index 100%
rename from a
rename to dir/b
`
	diffMode = `diff --git a/a b/a
old mode 100644
new mode 100755
`
)

func TestUnified(t *testing.T) {
	for _, tc := range []struct {
		name   string
		diffs  []string
		in     string
		want   MapTree
		status string
		say    string
	}{
		{name: "applied", diffs: []string{diffA}, in: "one\ntwo\nthree\n", want: tree("a", "one\nTWO\nthree\n"), status: "applied"},
		{name: "satisfied", diffs: []string{diffA}, in: "one\nTWO\nthree\n", status: "satisfied"},
		{name: "conflict", diffs: []string{diffA}, in: "one\nzzz\ntwwo\nthree\n", status: "conflict", say: "a:3 ("},
		{name: "missing file", diffs: []string{strings.ReplaceAll(diffA, "/a\n", "/src/a\n")}, in: "x\n", status: "conflict", say: "src/a: No such file"},
		{name: "later diff rewrites earlier one", diffs: []string{diffA, diffOnA}, in: "one\ntwo\nthree\n", want: tree("a", "one\nzwei\ndeux\nthree\n"), status: "applied applied"},
		{name: "both there", diffs: []string{diffA, diffOnA}, in: "one\nzwei\ndeux\nthree\n", status: "satisfied satisfied"},
		{name: "first there", diffs: []string{diffA, diffOnA}, in: "one\nTWO\nthree\n", want: tree("a", "one\nzwei\ndeux\nthree\n"), status: "satisfied applied"},
		{name: "new and executable", diffs: []string{diffNew}, in: "x\n", want: MapTree{"a": {Data: []byte("x\n")}, "new": {Data: []byte("fresh\n"), Executable: true}}, status: "applied"},
		{name: "only the mode", diffs: []string{diffMode}, in: "x\n", want: MapTree{"a": {Data: []byte("x\n"), Executable: true}}, status: "applied"},
		{name: "rename", diffs: []string{diffRename}, in: "x\n", want: tree("dir/b", "x\n"), status: "applied"},
		{name: "all reported", diffs: []string{diffA, diffNew, diffOnA}, in: "x\n", status: "conflict applied conflict", say: "patch does not apply"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var files []string
			for i, d := range tc.diffs {
				files = append(files, string(rune('1'+i))+".patch", d)
			}
			s, tr := series(t, files...), tree("a", tc.in)
			rep, err := apply(s, tr)
			if rep == nil {
				t.Fatal(err)
			}
			if got := statuses(rep); got != tc.status {
				t.Fatalf("%q, want %q: %v", got, tc.status, err)
			}
			if (err != nil) != (tc.say != "") || err != nil && !strings.Contains(err.Error(), tc.say) {
				t.Errorf("error %v, want %q", err, tc.say)
			}
			want := tc.want
			if want == nil {
				want = tree("a", tc.in)
			}
			if diff := cmp.Diff(want, tr); diff != "" {
				t.Error(diff)
			}
			if err == nil {
				expectIdempotent(t, s, tr)
			}
		})
	}
}

// TestThreeWay: the source moved on around the change, its repository still
// has the blob the diff was made for.
func TestThreeWay(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@localhost"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/a", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	base := "1\n2\n3\n4\n5\n6\n7\n8\n"
	git("init", "-q")
	write(base)
	git("add", "a")
	git("commit", "-qm", "base")
	write(strings.Replace(base, "8", "8 ours", 1))
	diff := git("diff", "--full-index")
	write(strings.Replace(base, "5", "5 theirs", 1))
	git("commit", "-qam", "theirs")

	s := series(t, "1.patch", diff)
	if rep, err := apply(s, tree("a", strings.Replace(base, "5", "5 theirs", 1))); err == nil {
		t.Fatalf("without the repository the context does not match, but: %v", rep.Results)
	}
	tr, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	rep, err := Apply(context.Background(), s, tr, Options{TempDir: t.TempDir()})
	if err != nil || rep.Results[0].Detail != "by a 3-way merge" {
		t.Fatalf("%+v %v", rep, err)
	}
	got, err := os.ReadFile(dir + "/a")
	if want := strings.NewReplacer("5", "5 theirs", "8", "8 ours").Replace(base); err != nil || string(got) != want {
		t.Errorf("%q %v", got, err)
	}
}

func TestUnifiedRefused(t *testing.T) {
	for _, diff := range []string{
		"diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n",
		"--- a/x\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
		"--- x\n+++ x\n@@ -1 +1 @@\n-a\n+b\n",
		"diff --git a/x b/x\nrename from ../x\nrename to y\n",
		"--- \"a/\\056\\056/x\"\n+++ b/x\n",
	} {
		if u, err := parseUnified([]byte(diff)); err == nil {
			t.Errorf("accepted %v:\n%s", u.Paths, diff)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Apply(ctx, series(t, "1.patch", diffA), tree("a", "x"), Options{}); err != context.Canceled {
		t.Errorf("%v", err)
	}
}
