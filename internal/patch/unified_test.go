package patch

import (
	"context"
	"maps"
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
)

const (
	diffMode = `diff --git a/a b/a
old mode 100644
new mode 100755
`
	diffModeAndText = diffMode + `index 0000000..0000001
` + diffA
	diffNoMode = `diff --git a/a b/a
old mode 100755
new mode 100644
`
	// What git says of the mode here is no change of it.
	diffMentionsMode = `diff --git a/a b/a
index 1111111..2222222 100755
` + diffA
	diffCopy = `diff --git a/a b/c
similarity index 100%
copy from a
copy to c
`
	diffCopyOfChanged = `diff --git a/a b/a
index 1111111..2222222 100644
` + diffA + `diff --git a/a b/c
similarity index 60%
copy from a
copy to c
--- a/a
+++ b/c
@@ -1,3 +1,4 @@
 one
 two
 three
+four
`
	diffRenameAndEdit = `diff --git a/a b/dir/b
similarity index 60%
rename from a
rename to dir/b
--- a/a
+++ b/dir/b
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
`
	diffEmpty = `diff --git a/empty b/empty
new file mode 100644
index 0000000..e69de29
`
	diffDelete = `diff --git a/a b/a
deleted file mode 100644
--- a/a
+++ /dev/null
@@ -1 +0,0 @@
-one
`
	diffLink = `diff --git a/l b/l
new file mode 120000
--- /dev/null
+++ b/l
@@ -0,0 +1 @@
+a
\ No newline at end of file
`
	diffFileToLink = diffDelete + `diff --git a/a b/a
new file mode 120000
--- /dev/null
+++ b/a
@@ -0,0 +1 @@
+dir/x
\ No newline at end of file
`
	diffQuoted  = "diff --git \"a/\\303\\244 \\\"x\" \"b/\\303\\244 \\\"x\"\nnew file mode 100644\n--- /dev/null\n+++ \"b/\\303\\244 \\\"x\"\n@@ -0,0 +1 @@\n+x\n"
	diffNewline = `--- a/a
+++ b/a
@@ -1 +1 @@
-x
\ No newline at end of file
+x
`
	// One of many equal lines is removed.
	diffEqualLines = `--- a/a
+++ b/a
@@ -1,7 +1,6 @@
 x
 x
 x
-x
 x
 x
 x
`
	diffAttributes = `diff --git a/.gitattributes b/.gitattributes
new file mode 100644
--- /dev/null
+++ b/.gitattributes
@@ -0,0 +1 @@
+* text eol=crlf ident
` + diffMentionsMode
	mailOfA = `From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH 1/2] =?UTF-8?q?two=20becomes=20gr=C3=B6=C3=9Fer?=

Lines of a message:

--- before
+++ after
@@ -1,3 +1,3 @@
--- a/other
+++ b/other
@@ -1 +1 @@
-a
+b
diff --git is a command

---
 a | 2 +-

diff --git a/a b/a
index 1111111..2222222 100644
` + diffA + "-- \n2.39.5\n\n"
	mailOnA = `From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH 2/2] in German

---
diff --git a/a b/a
index 1111111..2222222 100644
` + diffOnA + "-- \n2.39.5\n\n"
)

func executable(name, text string) MapTree {
	return MapTree{name: {Data: []byte(text), Executable: true}}
}

func with(files MapTree, name string, f File) MapTree {
	files = maps.Clone(files)
	files[name] = f
	return files
}

func link(to string) File { return File{Data: []byte(to), Link: true} }

func TestUnified(t *testing.T) {
	const plain, capital = "one\ntwo\nthree\n", "one\nTWO\nthree\n"
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	for _, tc := range []struct {
		name   string
		diffs  []string
		in     MapTree
		want   MapTree // nil: as in
		status string
		say    string
	}{
		{name: "applied", diffs: []string{diffA}, in: tree("a", plain), want: tree("a", capital), status: "applied"},
		{name: "satisfied", diffs: []string{diffA}, in: tree("a", capital), status: "satisfied"},
		{name: "conflict", diffs: []string{diffA}, in: tree("a", "one\nzzz\ntwwo\nthree\n"), status: "conflict", say: "a:3 ("},
		{name: "missing file", diffs: []string{strings.ReplaceAll(diffA, "/a\n", "/src/a\n")}, in: tree("a", "x\n"), status: "conflict", say: "src/a: No such file"},
		{name: "later diff rewrites earlier one", diffs: []string{diffA, diffOnA}, in: tree("a", plain), want: tree("a", "one\nzwei\ndeux\nthree\n"), status: "applied applied"},
		{name: "both there", diffs: []string{diffA, diffOnA}, in: tree("a", "one\nzwei\ndeux\nthree\n"), status: "satisfied satisfied"},
		{name: "first there", diffs: []string{diffA, diffOnA}, in: tree("a", capital), want: tree("a", "one\nzwei\ndeux\nthree\n"), status: "satisfied applied"},
		{name: "new and executable", diffs: []string{diffNew}, in: tree("a", "x\n"), want: with(tree("a", "x\n"), "new", File{Data: []byte("fresh\n"), Executable: true}), status: "applied"},
		{name: "new, its mode not there", diffs: []string{diffNew}, in: tree("new", "fresh\n"), want: executable("new", "fresh\n"), status: "applied"},
		{name: "rename", diffs: []string{diffRename}, in: tree("a", "x\n"), want: tree("dir/b", "x\n"), status: "applied"},
		{name: "rename there", diffs: []string{diffRename}, in: tree("dir/b", "x\n"), status: "satisfied"},
		{name: "rename and edit", diffs: []string{diffRenameAndEdit}, in: executable("a", plain), want: executable("dir/b", capital), status: "applied"},
		{name: "all reported", diffs: []string{diffA, diffNew, diffOnA}, in: tree("a", "x\n"), status: "conflict applied conflict", say: "patch does not apply"},

		{name: "only the mode", diffs: []string{diffMode}, in: tree("a", plain), want: executable("a", plain), status: "applied"},
		{name: "only the mode, there", diffs: []string{diffMode}, in: executable("a", plain), status: "satisfied"},
		{name: "mode and text", diffs: []string{diffModeAndText}, in: tree("a", plain), want: executable("a", capital), status: "applied"},
		{name: "mode and text, the text there", diffs: []string{diffModeAndText}, in: tree("a", capital), want: executable("a", capital), status: "applied"},
		{name: "mode and text, there", diffs: []string{diffModeAndText}, in: executable("a", capital), status: "satisfied"},
		{name: "mode taken away", diffs: []string{diffNoMode}, in: executable("a", plain), want: tree("a", plain), status: "applied"},
		{name: "mode given, then file renamed and the text there", diffs: []string{diffModeAndText, diffRename}, in: tree("dir/b", capital), want: executable("dir/b", capital), status: "applied satisfied"},
		{name: "mode given and taken", diffs: []string{diffMode, diffNoMode}, in: tree("a", plain), status: "satisfied satisfied"},
		{name: "mode only mentioned", diffs: []string{diffMentionsMode}, in: tree("a", plain), want: tree("a", capital), status: "applied"},

		{name: "copy", diffs: []string{diffCopy}, in: tree("a", "x\n"), want: tree("a", "x\n", "c", "x\n"), status: "applied"},
		{name: "copy there", diffs: []string{diffCopy}, in: tree("a", "x\n", "c", "x\n"), status: "satisfied"},
		{name: "copy with another content", diffs: []string{diffCopy}, in: tree("a", "x\n", "c", "y\n"), status: "conflict", say: "c: already exists"},
		{name: "copy of a file that is itself changed", diffs: []string{diffCopyOfChanged}, in: tree("a", plain), want: tree("a", capital, "c", plain+"four\n"), status: "applied"},
		{name: "copy, then rename and edit", diffs: []string{diffCopy, diffRenameAndEdit}, in: tree("a", plain), want: tree("c", plain, "dir/b", capital), status: "applied applied"},

		{name: "empty file", diffs: []string{diffEmpty}, in: tree("a", ""), want: tree("a", "", "empty", ""), status: "applied"},
		{name: "deleted", diffs: []string{diffDelete}, in: tree("a", "one\n", "b", ""), want: tree("b", ""), status: "applied"},
		{name: "deleted is another one", diffs: []string{diffDelete}, in: tree("a", "two\n"), status: "conflict", say: "patch does not apply"},
		{name: "link", diffs: []string{diffLink}, in: tree("a", ""), want: with(tree("a", ""), "l", link("a")), status: "applied"},
		{name: "link there", diffs: []string{diffLink}, in: MapTree{"l": link("a")}, status: "satisfied"},
		{name: "link is a file of the same content", diffs: []string{diffLink}, in: tree("l", "a"), status: "conflict", say: "already exists"},
		{name: "file becomes a link", diffs: []string{diffFileToLink}, in: tree("a", "one\n"), want: MapTree{"a": link("dir/x")}, status: "applied"},
		{name: "text for a link", diffs: []string{diffMentionsMode}, in: MapTree{"a": link("x")}, status: "conflict", say: "wrong type"},
		{name: "through a link", diffs: []string{strings.ReplaceAll(diffA, "/a\n", "/l/a\n")}, in: with(tree("d/a", plain), "l", link("d")), status: "conflict", say: "l is a link to d: name the file by its own path"},
		{name: "file below a file", diffs: []string{strings.ReplaceAll(diffNew, "new\n", "a/new\n")}, in: tree("a", "x"), status: "conflict", say: "a/new"},
		{name: "file in the place of a folder", diffs: []string{diffEmpty}, in: tree("empty/x", ""), status: "conflict", say: "empty"},
		{name: "quoted name", diffs: []string{diffQuoted}, in: tree("a", ""), want: tree("a", "", "ä \"x", "x\n"), status: "applied"},
		{name: "newline at the end", diffs: []string{diffNewline}, in: tree("a", "x"), want: tree("a", "x\n"), status: "applied"},
		{name: "attributes convert nothing", diffs: []string{diffAttributes}, in: tree("a", plain), want: tree("a", capital, ".gitattributes", "* text eol=crlf ident\n"), status: "applied"},

		{name: "mail", diffs: []string{mailOfA}, in: tree("a", plain), want: tree("a", capital), status: "applied"},
		{name: "mail box", diffs: []string{mailOfA + mailOnA}, in: tree("a", plain), want: tree("a", "one\nzwei\ndeux\nthree\n"), status: "applied applied"},
		{name: "mail box, first there", diffs: []string{mailOfA + mailOnA}, in: tree("a", capital), want: tree("a", "one\nzwei\ndeux\nthree\n"), status: "satisfied applied"},
		{name: "patch in CRLF", diffs: []string{crlf(mailOfA)}, in: tree("a", plain), want: tree("a", capital), status: "applied"},
		{name: "patch in CRLF for a file in CRLF", diffs: []string{crlf(strings.NewReplacer("one\n", "one\r\n", "two\n", "two\r\n", "TWO\n", "TWO\r\n", "three\n", "three\r\n").Replace(diffA))}, in: tree("a", crlf(plain)), want: tree("a", crlf(capital)), status: "applied"},
		{name: "file in CRLF", diffs: []string{diffA}, in: tree("a", crlf(plain)), status: "conflict", say: "the file has CRLF line ends, the patch LF"},
		{name: "change in CRLF", diffs: []string{strings.NewReplacer("one\n", "one\r\n", "two\n", "two\r\n", "three\n", "three\r\n").Replace(diffA)}, in: tree("a", plain), status: "conflict", say: "the file has LF line ends, the patch CRLF"},
		{name: "equal lines", diffs: []string{diffEqualLines}, in: tree("a", strings.Repeat("x\n", 9)), status: "conflict", say: "cannot be told"},
		{name: "equal lines and the files' ids", diffs: []string{"diff --git a/a b/a\nindex c9f1e1d..daaf200 100644\n" + diffEqualLines}, in: tree("a", strings.Repeat("x\n", 9)), want: tree("a", strings.Repeat("x\n", 8)), status: "applied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var files []string
			for i, d := range tc.diffs {
				files = append(files, string(rune('1'+i))+".patch", d)
			}
			s, tr := series(t, files...), maps.Clone(tc.in)
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
				want = tc.in
			}
			if diff := same(want, tr); diff != "" {
				t.Error(diff)
			}
			if err == nil {
				expectIdempotent(t, s, tr)
			}
		})
	}
}

// TestMailBox: every commit has a result of its own, under its own subject.
func TestMailBox(t *testing.T) {
	rep, err := apply(series(t, "1.patch", mailOfA+mailOnA), tree("a", "one\ntwo\nthree\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rep.Results {
		got = append(got, r.Part+": "+r.Title)
	}
	if diff := cmp.Diff([]string{"commit 1: two becomes größer", "commit 2: in German"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestThreeWay: the source moved on around the change, its repository still
// has the blob the diff was made for.
func TestThreeWay(t *testing.T) {
	r := newRepository(t)
	base := "1\n2\n3\n4\n5\n6\n7\n8\n"
	r.commit(tree("a", base), "base")
	r.put(tree("a", strings.Replace(base, "8", "8 ours", 1)))
	diff := r.git("diff", "--full-index")
	r.commit(tree("a", strings.Replace(base, "5", "5 theirs", 1)), "theirs")

	s := series(t, "1.patch", diff)
	if rep, err := apply(s, tree("a", strings.Replace(base, "5", "5 theirs", 1))); err == nil {
		t.Fatalf("without the repository the context does not match, but: %v", rep.Results)
	}
	tr, err := OpenDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	rep, err := Apply(context.Background(), s, tr, Options{TempDir: t.TempDir()})
	if err != nil || rep.Results[0].Detail != "by a 3-way merge" {
		t.Fatalf("%+v %v", rep, err)
	}
	want := tree("a", strings.NewReplacer("5", "5 theirs", "8", "8 ours").Replace(base))
	if diff := same(want, read(t, r.dir)); diff != "" {
		t.Error(diff)
	}
}

func TestUnifiedRefused(t *testing.T) {
	hunk := "@@ -1 +1 @@\n-a\n+b\n"
	for _, tc := range []struct{ say, diff string }{
		{"line 1: the link l -> .. leads out of", "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+..\n"},
		{"the link d/l -> ../../x leads out of", "diff --git a/d/l b/d/l\nindex 1111111..2222222 120000\n--- a/d/l\n+++ b/d/l\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+../../x\n\\ No newline at end of file\n"},
		{"line 3: sub is a submodule", "\n\ndiff --git a/sub b/sub\nindex 1111111..2222222 160000\n--- a/sub\n+++ b/sub\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n"},
		{"new is a submodule", "diff --git a/new b/new\nnew file mode 160000\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+Subproject commit 1\n"},
		{"no a/ and b/", "--- a/x\n+++ /etc/passwd\n" + hunk},
		{`path "x": no a/ and b/`, "--- x\n+++ x\n" + hunk},
		{`"diff --git src/x src/x": no a/ and b/`, "diff --git src/x src/x\nindex 1111111..2222222\n--- src/x\n+++ src/x\n" + hunk},
		{`"diff --git i/x w/x": no a/ and b/`, "diff --git i/x w/x\nold mode 100644\nnew mode 100755\n"},
		{`"--- x": no a/ and b/`, "diff --git a/x b/x\n--- x\n+++ x\n" + hunk},
		{`path "../x" leaves`, "diff --git a/x b/x\nrename from ../x\nrename to y\n"},
		{`path "/x" leaves`, "diff --git a/x b/x\ncopy from x\ncopy to /x\n"},
		{`path "../x" leaves`, "--- \"a/\\056\\056/x\"\n+++ \"b/\\056\\056/x\"\n" + hunk},
		{`path "d/.GIT/config" is git's own`, "--- a/d/.GIT/config\n+++ b/d/.GIT/config\n" + hunk},
		{`path "caf\xe9" is not in UTF-8`, "diff --git \"a/caf\\351\" \"b/caf\\351\"\nold mode 100644\nnew mode 100755\n"},
		{"x is binary and its content is not in the patch", "diff --git a/x b/x\nindex 1111111..2222222 100644\nBinary files a/x and b/x differ\n"},
		{"some lines of the patch end in CRLF", "--- a/x\r\n+++ b/x\r\n" + hunk},
		{"line 7: fragment header miscounts lines", "--- a/y\n+++ b/y\n" + hunk + "@@ -1,9 +1 @@\n-a\n+b\n"},
		{"line 9: fragment header miscounts lines", "diff --git a/y b/y\nnew file mode 100644\ndiff --git a/x b/x\nindex 1111111..2222222\n\n--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n-a\n+b\n"},
		{"behind the diff of x is one without git's header", "diff --git a/x b/x\nindex 1111111..2222222\n--- a/x\n+++ b/x\n" + hunk + "--- a/y\n+++ b/y\n" + hunk},
		{"names no file", "diff --git is a command\n"},
	} {
		u, err := parseUnified([]byte(tc.diff))
		if err == nil {
			t.Errorf("accepted %v:\n%s", u.commits[0].paths(), tc.diff)
		} else if !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%v, want %q", err, tc.say)
		}
	}
}

func FuzzUnified(f *testing.F) {
	for _, diff := range []string{diffMode, diffCopyOfChanged, diffFileToLink, diffQuoted, mailOfA + mailOnA, "--- 0\n+++ a/\n@@ -0,0 +0 @@\n+"} {
		f.Add([]byte(diff))
	}
	f.Fuzz(func(t *testing.T, diff []byte) {
		u, err := parseUnified(diff)
		if err != nil {
			return
		}
		for _, c := range u.commits {
			for _, p := range c.paths() {
				if checkPath(p) != nil {
					t.Errorf("path %q was let through", p)
				}
			}
			c.identified(MapTree{}, newBlob)
		}
	})
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Apply(ctx, series(t, "1.patch", diffA), tree("a", "x"), Options{}); err != context.Canceled {
		t.Errorf("%v", err)
	}
}
