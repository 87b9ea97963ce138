package patch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
)

// series builds a series from file names and contents; a TOML file may leave
// out title and reason.
func series(t *testing.T, files ...string) *Series {
	t.Helper()
	fsys := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		body := files[i+1]
		if strings.HasSuffix(files[i], ".toml") {
			body = "title = \"t\"\nreason = \"r\"\n" + body
		}
		fsys["s/"+files[i]] = &fstest.MapFile{Data: []byte(body)}
	}
	s, err := Load(fsys, "s")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tree(files ...string) MapTree {
	m := MapTree{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = File{Data: []byte(files[i+1])}
	}
	return m
}

func apply(s *Series, tr Tree) (*Report, error) {
	return Apply(context.Background(), s, tr, Options{})
}

func statuses(r *Report) string {
	var all []string
	for _, res := range r.Results {
		all = append(all, string(res.Status))
	}
	return strings.Join(all, " ")
}

func TestEditResults(t *testing.T) {
	edit := func(fields string) string { return "[[edit]]\nfile = \"a\"\n" + fields }
	for _, tc := range []struct {
		name, patch, in, want string
		status                string
		detail                string // part of the first conflict
	}{
		{name: "replace", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"bar\""), in: "x foo y\n", want: "x bar y\n", status: "applied"},
		{name: "replace satisfied", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"bar\""), in: "x bar y\n", status: "satisfied"},
		{name: "replace text holds anchor", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"wrap(foo)\""), in: "foo\n", want: "wrap(foo)\n", status: "applied"},
		{name: "replace text holds anchor, there", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"wrap(foo)\""), in: "wrap(foo)\n", status: "satisfied"},
		{name: "replace count", patch: edit(`where="replace"` + "\ncount=2\nanchor=\"foo\"\ntext=\"bar\""), in: "foo foo\n", want: "bar bar\n", status: "applied"},
		{name: "replace half there", patch: edit(`where="replace"` + "\ncount=2\nanchor=\"foo\"\ntext=\"quux\""), in: "foo quux\n", want: "quux quux\n", status: "applied"},
		{name: "count mismatch", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"bar\""), in: "foo\nfoo\n", status: "conflict", detail: "occurs 2 times, expected once"},
		{name: "not found", patch: edit(`where="replace"` + "\nanchor=\"fn open(\"\ntext=\"bar\""), in: "a\nfn opens(\n", status: "conflict", detail: "a:2 (80%): fn opens("},
		{name: "text too common to tell", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"b\""), in: "b b\n", status: "conflict", detail: "cannot be told"},
		{name: "text too common to apply", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"b\""), in: "b foo\n", status: "conflict", detail: "not recognised as satisfied"},
		{name: "until", patch: edit(`where="replace"` + "\nanchor=\"fn a(\"\nuntil=\"}\"\ntext=\"fn a() { 1 }\""), in: "fn a(x) {\n 2\n}\nfn b() {}\n", want: "fn a() { 1 }\nfn b() {}\n", status: "applied"},
		{name: "until absent", patch: edit(`where="replace"` + "\nanchor=\"fn a(\"\nuntil=\"}}\"\ntext=\"x\""), in: "fn a(x) {\n", status: "conflict", detail: `until "}}" is not found`},
		{name: "until overlap", patch: edit(`where="replace"` + "\ncount=2\nanchor=\"a\"\nuntil=\"c\"\ntext=\"x\""), in: "a a c c\n", status: "conflict", detail: "before the region's end"},
		{name: "deletion by satisfied", patch: edit(`where="replace"` + "\nanchor=\"foo\\n\"\ntext=\"\"\nsatisfied='\\Abar$'"), in: "foo\nbar\n", want: "bar\n", status: "applied"},
		{name: "after", patch: edit(`where="after"` + "\nanchor=\"one\"\ntext=\"new\""), in: "say one now\ntwo\n", want: "say one now\nnew\ntwo\n", status: "applied"},
		{name: "after satisfied", patch: edit(`where="after"` + "\nanchor=\"one\"\ntext=\"new\""), in: "say one now\nnew\ntwo\n", status: "satisfied"},
		{name: "after at end", patch: edit(`where="after"` + "\nanchor=\"two\"\ntext=\"new\\n\""), in: "one\ntwo\n", want: "one\ntwo\nnew\n", status: "applied"},
		{name: "after, no final newline", patch: edit(`where="after"` + "\nanchor=\"two\"\ntext=\"new\\n\""), in: "one\ntwo", want: "one\ntwo\nnew", status: "applied"},
		{name: "before at start", patch: edit(`where="before"` + "\nanchor=\"one\"\ntext=\"new\\n\""), in: "one\ntwo", want: "new\none\ntwo", status: "applied"},
		{name: "before satisfied", patch: edit(`where="before"` + "\nanchor=\"one\"\ntext=\"new\\n\""), in: "new\none\ntwo", status: "satisfied"},
		{name: "before is not a suffix of a line", patch: edit(`where="before"` + "\nanchor=\"one\"\ntext=\"new\""), in: "renew\none\n", want: "renew\nnew\none\n", status: "applied"},
		{name: "after is not a prefix of a line", patch: edit(`where="after"` + "\nanchor=\"one\"\ntext=\"new\""), in: "one\nnewer\n", want: "one\nnew\nnewer\n", status: "applied"},
		{name: "anchor of several lines", patch: edit(`where="after"` + "\nanchor=\"a\\nb\"\ntext=\"new\""), in: "xa\nby\nc\n", want: "xa\nby\nnew\nc\n", status: "applied"},
		{name: "inserted text holds anchor", patch: edit(`where="after"` + "\nanchor=\"use x;\"\ntext=\"use x;use y;\""), in: "use x;\nend\n", want: "use x;\nuse x;use y;\nend\n", status: "applied"},
		{name: "inserted text holds anchor, there", patch: edit(`where="after"` + "\nanchor=\"use x;\"\ntext=\"use x;use y;\""), in: "use x;\nuse x;use y;\nend\n", status: "satisfied"},
		{name: "two matches on one line", patch: edit(`where="after"` + "\ncount=2\nanchor=\"x\"\ntext=\"new\""), in: "x x\n", want: "x x\nnew\n", status: "applied"},
		{name: "insert at two places, one there", patch: edit(`where="after"` + "\ncount=2\nanchor=\"x\"\ntext=\"new\""), in: "x\nnew\nx\n", want: "x\nnew\nx\nnew\n", status: "applied"},
		{name: "crlf", patch: edit(`where="after"` + "\nanchor=\"one\"\ntext=\"new\\nmore\""), in: "one\r\ntwo\r\n", want: "one\r\nnew\r\nmore\r\ntwo\r\n", status: "applied"},
		{name: "crlf satisfied", patch: edit(`where="after"` + "\nanchor=\"one\"\ntext=\"new\\nmore\""), in: "one\r\nnew\r\nmore\r\ntwo\r\n", status: "satisfied"},
		{name: "mixed line ends stay", patch: edit(`where="replace"` + "\nanchor=\"two\"\ntext=\"2\""), in: "one\r\ntwo\nthree\r\n", want: "one\r\n2\nthree\r\n", status: "applied"},
		{name: "regex", patch: edit(`where="replace"` + "\nregex=true\nanchor='^fn \\w+\\('\nuntil='^}$'\ntext=\"$1 gone\""), in: "x\nfn abc(\n }\n}\ny\n", want: "x\n$1 gone\ny\n", status: "applied"},
		{name: "regex matches nothing", patch: edit(`where="replace"` + "\nregex=true\nanchor='^'\ntext=\"x\""), in: "y\n", status: "conflict", detail: "matches an empty text"},
		{name: "edit satisfied pattern", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"bar\"\nsatisfied='^b.z$'"), in: "foo\nbaz\n", status: "satisfied"},
		{name: "own satisfied pattern not produced", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"\"\nsatisfied='nope'"), in: "foo\n", status: "conflict", detail: "series' own result"},
		{name: "empty file", patch: edit(`where="replace"` + "\nanchor=\"foo\"\ntext=\"bar\""), in: "", status: "conflict", detail: "occurs 0 times"},
		{name: "missing file", patch: "[[edit]]\nfile=\"src/a.rs\"\nwhere=\"replace\"\nanchor=\"foo\"\ntext=\"bar\"", in: "x", status: "conflict", detail: "no such file in the source\n    lib/a.rs ("},
		{name: "needed absent", patch: "[needed]\nfile=\"a\"\npattern='mmap'\n" + edit(`where="replace"`+"\nanchor=\"foo\"\ntext=\"bar\""), in: "foo\n", status: "not-needed"},
		{name: "needed in no file", patch: "[needed]\nfile=\"b\"\npattern='mmap'\n" + edit(`where="replace"`+"\nanchor=\"foo\"\ntext=\"bar\""), in: "foo\n", status: "not-needed"},
		{name: "needed present", patch: "[needed]\nfile=\"a\"\npattern='^foo$'\n" + edit(`where="replace"`+"\nanchor=\"foo\"\ntext=\"bar\""), in: "foo\r\n", want: "bar\r\n", status: "applied"},
		{name: "patch satisfied", patch: "[satisfied]\nfile=\"a\"\npattern='foo'\n" + edit(`where="replace"`+"\nanchor=\"foo\"\ntext=\"bar\""), in: "foo\n", status: "satisfied"},
		{name: "deletion under needed", patch: "[needed]\nfile=\"a\"\npattern='foo'\n" + edit(`where="replace"`+"\nanchor=\"foo\"\ntext=\"\""), in: "a foo b\n", want: "a  b\n", status: "applied"},
		{name: "edits see earlier ones", patch: edit(`where="replace"`+"\nanchor=\"foo\"\ntext=\"bar one\"") + "\n" + edit(`where="after"`+"\nanchor=\"two\"\ntext=\"after\""), in: "foo\ntwo\n", want: "bar one\ntwo\nafter\n", status: "applied applied"},
		{name: "overlapping edits", patch: edit(`where="replace"`+"\nanchor=\"foo\"\ntext=\"bar one\"") + "\n" + edit(`where="replace"`+"\nanchor=\"bar\"\ntext=\"baz\""), in: "foo\n", status: "conflict applied", detail: "overlaps"},
		{name: "two insertions at one anchor", patch: edit(`where="after"`+"\nanchor=\"foo\"\ntext=\"1st\"") + "\n" + edit(`where="after"`+"\nanchor=\"foo\"\ntext=\"2nd\""), in: "foo\n", status: "conflict conflict", detail: "applied a second time"},
		{name: "new file", patch: "[[file]]\npath=\"d/b\"\ntext=\"x\\n\"", in: "foo\n", status: "applied", want: "foo\n"},
		{name: "new file there", patch: "[[file]]\npath=\"a\"\ntext=\"x\\n\"", in: "x\n", status: "satisfied"},
		{name: "new file differs", patch: "[[file]]\npath=\"a\"\ntext=\"x\\ny\"", in: "x\nz", status: "conflict", detail: "a:2: conflict: the source already has this file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, tr := series(t, "0001-x.toml", tc.patch), tree("a", tc.in, "lib/a.rs", "")
			rep, err := apply(s, tr)
			if rep == nil {
				t.Fatal(err)
			}
			if got := statuses(rep); got != tc.status {
				t.Fatalf("status %q, want %q (%v)", got, tc.status, err)
			}
			if (err != nil) != strings.Contains(tc.status, "conflict") {
				t.Fatalf("error %v", err)
			}
			if err != nil && (tc.detail == "" || !strings.Contains(err.Error(), tc.detail)) {
				t.Errorf("error\n%v\ndoes not say %q", err, tc.detail)
			}
			want := tc.want
			if want == "" {
				want = tc.in
			}
			if got := string(tr["a"].Data); got != want {
				t.Errorf("content\n%q, want\n%q", got, want)
			}
			if err == nil {
				expectIdempotent(t, s, tr)
			}
		})
	}
}

func expectIdempotent(t *testing.T, s *Series, tr MapTree) {
	t.Helper()
	before := fmt.Sprint(tr)
	rep, err := apply(s, tr)
	if err != nil || rep.Count(Applied) > 0 || len(rep.Changed) > 0 || fmt.Sprint(tr) != before {
		t.Errorf("second application: %v, %v, changed %v", statuses(rep), err, rep.Changed)
	}
}

func TestAllConflictsAtOnceAndNothingWritten(t *testing.T) {
	s := series(t,
		"0001-a.toml", "[[edit]]\nfile=\"a\"\nwhere=\"replace\"\nanchor=\"one\"\ntext=\"ONE\"\n[[edit]]\nfile=\"a\"\nwhere=\"replace\"\nanchor=\"absent\"\ntext=\"x\"",
		"0002-b.toml", "[[edit]]\nfile=\"gone\"\nwhere=\"replace\"\nanchor=\"x\"\ntext=\"y\"\n[[file]]\npath=\"new\"\ntext=\"n\"")
	tr := tree("a", "one\n")
	rep, err := apply(s, tr)
	var all *multierror.Error
	if !errors.As(err, &all) || len(all.Errors) != 2 {
		t.Fatalf("want 2 conflicts, got %v", err)
	}
	var conflict *ConflictError
	if !errors.As(err, &conflict) || conflict.Result.Part != "edit 2" {
		t.Errorf("first conflict %+v", conflict)
	}
	if got, want := statuses(rep), "applied conflict conflict applied"; got != want {
		t.Errorf("statuses %q, want %q", got, want)
	}
	if got, want := rep.Summary(), "2 applied, 2 conflict"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	if diff := cmp.Diff(tree("a", "one\n"), tr); diff != "" {
		t.Error(diff)
	}
}

func TestDryRun(t *testing.T) {
	s := series(t, "1.toml", "[[file]]\npath=\"new\"\ntext=\"n\"")
	tr := tree()
	rep, err := Apply(context.Background(), s, tr, Options{DryRun: true})
	if err != nil || len(tr) != 0 || !cmp.Equal(rep.Changed, []string{"new"}) {
		t.Errorf("%v %v %v", rep, err, tr)
	}
}

func TestDirTree(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write := func(name, text string, perm fs.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), perm); err != nil {
			t.Fatal(err)
		}
	}
	write(dir+"/bin/run", "one\n", 0o755)
	write(outside+"/f", "one\n", 0o644)
	linked := outside + "/hardlink"
	for _, err := range []error{
		os.Link(dir+"/bin/run", linked), os.Symlink(outside, dir+"/out"), os.Symlink("bin/run", dir+"/link"), os.Symlink("bin", dir+"/in"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	open := func() *DirTree {
		tr, err := OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		return tr
	}
	on := func(file string) *Series {
		return series(t, "1.toml", fmt.Sprintf("[[edit]]\nfile=%q\nwhere=\"replace\"\nanchor=\"one\"\ntext=\"two\"\n[[file]]\npath=\"new/f\"\ntext=\"n\"", file))
	}
	for bad, say := range map[string]string{
		"out/f": "out is a link to", "link": "not a regular file but a link to bin/run", "in/run": "in is a link to bin: name the file by its own path",
	} {
		if _, err := apply(on(bad), open()); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want %q", bad, err, say)
		}
	}
	if _, err := apply(series(t, "1.toml", "[[file]]\npath=\"in/new\"\ntext=\"n\""), open()); err == nil || !strings.Contains(err.Error(), "in is a link to bin") {
		t.Errorf("a new file behind a link: %v", err)
	}
	if _, err := os.Stat(dir + "/new/f"); err == nil {
		t.Error("a refused series wrote a file")
	}
	if _, err := apply(on("bin/run"), open()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir + "/bin/run")
	if err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("executable bit lost: %v %v", info, err)
	}
	if data, err := os.ReadFile(linked); err != nil || string(data) != "one\n" {
		t.Errorf("a hard link of the source changed: %q %v", data, err)
	}
	names, err := open().List()
	if err != nil || !cmp.Equal(names, []string{"bin/run", "in", "link", "new/f", "out"}) {
		t.Errorf("List: %v %v", names, err)
	}
}

// TestIdempotence: whatever Apply accepts, a second Apply finds satisfied.
func TestIdempotence(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func() string { return []string{"a", "b", "ab", "ba", "aa", "c"}[rng.IntN(6)] }
	accepted := 0
	for range 6000 {
		var body, file strings.Builder
		for range 1 + rng.IntN(3) {
			where := []string{"replace", "before", "after"}[rng.IntN(3)]
			fmt.Fprintf(&body, "[[edit]]\nfile=\"f\"\nwhere=%q\nanchor=%q\ntext=%q\ncount=%d\n", where, word(), word()+[]string{"", "\n", "\nb"}[rng.IntN(3)], 1+rng.IntN(2))
			if where == "replace" && rng.IntN(2) == 0 {
				fmt.Fprintf(&body, "until=%q\n", word())
			}
		}
		for range rng.IntN(6) {
			file.WriteString(word() + []string{"\n", " ", ""}[rng.IntN(3)])
		}
		s, tr := series(t, "1.toml", body.String()), tree("f", file.String())
		if _, err := apply(s, tr); err != nil {
			continue
		}
		accepted++
		if expectIdempotent(t, s, tr); t.Failed() {
			t.Fatalf("patch:\n%s\nfile: %q", body.String(), file.String())
		}
	}
	if accepted < 300 {
		t.Errorf("only %d of the random series were accepted: the test proves little", accepted)
	}
}

func TestDigest(t *testing.T) {
	a := series(t, "1.toml", "[[file]]\npath=\"n\"\ntext=\"x\"")
	renamed := series(t, "2.toml", "upstream=\"u\"\n[[file]]\npath=\"n\"\ntext=\"x\"")
	other := series(t, "1.toml", "[[file]]\npath=\"n\"\ntext=\"y\"")
	if a.Digest() != renamed.Digest() || a.Digest() == other.Digest() || len(a.Digest()) != 64 {
		t.Errorf("%s %s %s", a.Digest(), renamed.Digest(), other.Digest())
	}
}
