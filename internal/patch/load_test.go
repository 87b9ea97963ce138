package patch

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/go-multierror"
)

func TestLoadReportsAllFaults(t *testing.T) {
	fsys := fstest.MapFS{
		"s/1.toml": {Data: []byte(`
title = "x\ny"
reason = "r"
[[edit]]
file = "../up"
anchor = "("
regex = true
where = "before"
text = ""
count = 0
satisfied = "["
[[edit]]
file = "/abs"
anchor = "a"
where = "before"
until = "x"
text = "t"
[[file]]
path = "a/../b"
text = "x"
[[file]]
path = "ok2"
from = "absent.rs"
[[file]]
path = ".git/config"
from = "../secret"
`)},
		"s/2.toml":  {Data: []byte("title = \"x\"\nreason = \"r\"\ntypo = 1\n[[edit]]\nanhcor = \"x\"\n")},
		"s/3.toml":  {Data: []byte("title = 3\n")},
		"s/4.patch": {Data: []byte("nothing\n")},
		"s/5.patch": {Data: []byte("--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n")},
		"s/6.toml":  {Data: []byte("title = \"x\"\nreason = \"r\"\n")},
		"s/7.toml":  {Data: []byte("title = \"\"\n[[edit]]\nfile = \"f\"\n[[file]]\npath = \"ok\"\ntext = \"x\"\nfrom = \"y\"\n")},
		"s/8.toml":  {Data: []byte("[[edit]]\nwhere = \"around\"\n")},
	}
	_, err := Load(fsys, "s")
	var all *multierror.Error
	if !errors.As(err, &all) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{
		"s/1.toml: title: must be one line", `s/1.toml: edit 1: file: path "../up" leaves`, "edit 1: text is empty", "edit 1: count = 0", "edit 1: anchor: error parsing regexp", "edit 1: satisfied: error parsing regexp",
		`edit 2: file: path "/abs" leaves`, "edit 2: until is only",
		"file 1: path: path \"a/../b\" is not clean", "file 2: from: open s/absent.rs", "file 3: path: path \".git/config\"", "file 3: from: path \"../secret\"",
		"typo", "anhcor", "s/3.toml:1:9", "s/4.patch: not a unified diff", "s/5.patch: line 1: path \"../x\" leaves", "s/6.toml: edit: the patch changes nothing",
		`s/7.toml:1:1: key "title" is empty`, `s/7.toml:1:1: key "reason" is missing`, `s/7.toml:2:3: key "edit.0.anchor" is missing`, `key "edit.0.where" is missing: one of replace`,
		`key "edit.0.text" is missing`, `key "file.0" must have exactly one of text, from`, `s/8.toml:2:9: key "edit.where" is "around", not one of replace, before, after`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestLoad(t *testing.T) {
	fsys := fstest.MapFS{
		"p/relibc/0002-b.toml":  {Data: []byte("title=\"t\"\nreason=\"r\"\n[[file]]\npath=\"n\"\nfrom=\"n.rs\"\n")},
		"p/relibc/0001-a.patch": {Data: []byte("Subject: [PATCH 1/2] mend it\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- gone\n+++ here\n")},
		"p/relibc/n.rs":         {Data: []byte("fn n() {}\n")},
		"p/relibc/README.md":    {Data: []byte("read me")},
		"p/empty/README.md":     {Data: []byte("read me")},
	}
	s, err := Load(fsys, "p/relibc")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "relibc" || len(s.Patches) != 2 || s.Patches[0].Title != "mend it" || string(s.Patches[1].Files[0].Text) != "fn n() {}\n" {
		t.Errorf("%+v", s)
	}
	if got := strings.Join(s.Patches[0].Unified.commits[0].paths(), " "); got != "x" {
		t.Errorf("paths of the diff: %q; a removed line was taken for a header", got)
	}
	for _, bad := range []string{"p/empty", "p/absent", "../p", "."} {
		if _, err := Load(fsys, bad); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// TestShippedSeries: every series of the repository is well-formed.
func TestShippedSeries(t *testing.T) {
	fsys := os.DirFS("../../patches")
	entries, err := fs.ReadDir(fsys, ".")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the repository ships no patches")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if _, err := Load(fsys, e.Name()); err != nil {
			t.Error(err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("title=\"t\"\nreason=\"r\"\n[[edit]]\nfile=\"a\"\nanchor=\"b\"\nwhere=\"after\"\ntext=\"c\""), "b\n")
	f.Add([]byte("title=\"t\"\nreason=\"r\"\n[[edit]]\nfile=\"a\"\nanchor='\\b'\nregex=true\nwhere=\"replace\"\ntext=\"c\""), "b\r\n")
	f.Fuzz(func(t *testing.T, tomlPatch []byte, content string) {
		s, err := Load(fstest.MapFS{"s/1.toml": {Data: tomlPatch}, "s/2.toml": {Data: tomlPatch}}, "s")
		if err != nil {
			return
		}
		tr := tree("a", content)
		if _, err := apply(s, tr); err == nil {
			expectIdempotent(t, s, tr)
		}
	})
}
