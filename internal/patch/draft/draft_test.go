package draft

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/patch"
)

// empty is a tree with nothing in it.
type empty struct{}

func (empty) ReadFile(name string) (patch.File, error) {
	return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
}
func (empty) List() ([]string, error) { return nil, nil }

func tree(t *testing.T, files map[string]string) *patch.Overlay {
	t.Helper()
	o := patch.NewOverlay(empty{})
	for name, text := range files {
		if err := o.WriteFile(name, patch.File{Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func change(t *testing.T, before, after string) Change {
	t.Helper()
	return Change{Title: "a title", Reason: "a reason", Files: []string{"a.rs"}, Before: tree(t, map[string]string{"a.rs": before}), After: tree(t, map[string]string{"a.rs": after})}
}

const source = "use std::fs;\n\nfn first() {\n    one();\n    two();\n}\n\nfn second() {\n    one();\n    three(\"x\");\n}\n"

func TestAChangeBecomesEditsThatSayWhereTheyGo(t *testing.T) {
	for name, c := range map[string]struct {
		old, with string // in source
		want      string
	}{
		"a line behind another":      {"    two();\n", "    two();\n    more();\n", "anchor = \"two();\"\nwhere = \"after\"\ntext = \"\"\"\n    more();\n\"\"\"\n"},
		"a line that others are as":  {"use std::fs;\n", "use std::fs;\nuse std::io;\n", "anchor = \"use std::fs;\"\nwhere = \"after\"\ntext = \"\"\"\nuse std::io;\n\"\"\"\n"},
		"one line in place of one":   {"two();", "four();", "anchor = \"two();\"\nwhere = \"replace\"\ntext = \"four();\"\n"},
		"quotes stay as they are":    {`three("x");`, `three("y\n");`, "anchor = 'three(\"x\");'\nwhere = \"replace\"\ntext = 'three(\"y\\n\");'\n"},
		"several lines":              {"    two();\n}\n\nfn second() {\n", "}\n\nfn other() {\n", "anchor = \"    two();\"\nuntil = \"fn second() {\"\nwhere = \"replace\"\n"},
		"a removed line":             {"    two();\n", "", "anchor = \"    two();\"\nuntil = \"}\"\nwhere = \"replace\"\n"},
		"a line at the very top":     {"use std::fs;\n", "// top\nuse std::fs;\n", "anchor = \"use std::fs;\"\nwhere = \"before\"\n"},
		"what has no anchor nearby":  {"fn first() {\n    one();\n", "fn first() {\n    one();\n    one();\n", ""},
		"the body of a whole line":   {"fn second() {\n    one();\n", "fn second() {\n    other();\n", ""},
		"other blanks before a line": {"    two();\n", "\ttwo();\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			after := strings.Replace(source, c.old, c.with, 1)
			made, err := TOML(t.Context(), change(t, source, after))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(made.Text), "title = \"a title\"\nreason = \"\"\"\na reason\n\"\"\"\n\n[[edit]]\nfile = \"a.rs\"\n"+c.want) {
				t.Errorf("%s", made.Text)
			}
		})
	}
}

// TestRandomChanges: whatever is changed in a text of few different lines, the patch leads there, or there is none.
func TestRandomChanges(t *testing.T) {
	words := []string{"}", "", "one();", "two(\"x\");", "    three('c');", "\tfour\\", "five six", "'''", "seven"}
	random := rand.New(rand.NewPCG(1, 2))
	text := func() []string {
		lines := make([]string, 12)
		for i := range lines {
			lines[i] = words[random.IntN(len(words))]
			if random.IntN(3) == 0 {
				lines[i] += fmt.Sprint(i)
			}
		}
		return lines
	}
	said := 0
	const tries = 300
	for range tries {
		before := text()
		after := append([]string{}, before...)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(after) - 1)
			switch random.IntN(3) {
			case 0:
				after[at] = "new" + fmt.Sprint(random.IntN(9))
			case 1:
				after = append(after[:at], after[at+1:]...)
			default:
				after = append(after[:at], append([]string{words[random.IntN(len(words))]}, after[at:]...)...)
			}
		}
		c := change(t, strings.Join(before, "\n")+"\n", strings.Join(after, "\n")+"\n")
		if strings.Join(before, "\n") == strings.Join(after, "\n") {
			continue
		}
		made, err := TOML(t.Context(), c)
		if err != nil {
			continue // a unified diff says it
		}
		said++
		series, done, err := load(string(made.Text), made.Beside)
		if err != nil {
			t.Fatalf("%v\n%s", err, made.Text)
		}
		got := patch.NewOverlay(c.Before)
		_, err = patch.Apply(t.Context(), series, got, patch.Options{})
		done()
		if same, _ := equal(got, c.After, "a.rs"); err != nil || !same {
			t.Fatalf("%v: %q to %q\n%s", err, before, after, made.Text)
		}
	}
	if said < tries*3/4 {
		t.Errorf("only %d of %d changes became edits", said, tries)
	}
}

func TestWhatTOMLHasNoWordsForIsNamed(t *testing.T) {
	file := func(f *patch.File) patch.Reader {
		o := patch.NewOverlay(empty{})
		if f != nil {
			_ = o.WriteFile("a.rs", *f)
		}
		return o
	}
	text := &patch.File{Data: []byte("a\n")}
	for why, c := range map[string][2]*patch.File{
		"it is removed":    {text, nil},
		"it is a link":     {text, {Data: []byte("b"), Link: true}},
		"its mode changes": {text, {Data: []byte("a\n"), Executable: true}},
		"it is no text":    {nil, {Data: []byte{0, 1}}},
	} {
		_, err := TOML(t.Context(), Change{Title: "t", Reason: "r", Files: []string{"a.rs"}, Before: file(c[0]), After: file(c[1])})
		var no *InexpressibleError
		if !errors.As(err, &no) || no.Path != "a.rs" || no.Why != why {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func TestAnOldPatchKeepsWhatItSaysOfOtherFiles(t *testing.T) {
	old, err := Read("old", []byte("title = \"o\"\nreason = \"o\"\nupstream = \"u\"\n[[edit]]\nfile = \"a.rs\"\nanchor = '(o)ne'\nregex = true\nwhere = \"replace\"\ntext = \"uno\"\n"+
		"[[edit]]\nfile = \"b.rs\"\nanchor = \"one\"\nwhere = \"replace\"\ntext = \"uno\"\n[[file]]\npath = \"c.rs\"\nfrom = \"c.txt\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]string{"a.rs": "one\ntwo\n", "b.rs": "one\ntwo\n"}
	made, err := TOML(t.Context(), Change{
		Title: "n", Reason: "n", Files: []string{"a.rs", "b.rs", "c.rs"}, Old: old, Before: tree(t, before),
		After:  tree(t, map[string]string{"a.rs": "uno\ntwo\n", "b.rs": "uno\ndue\n", "c.rs": "new\n"}),
		Beside: func(string) ([]byte, error) { return []byte("old\n"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	text := string(made.Text)
	for _, want := range []string{`title = "n"`, `upstream = "u"`, "anchor = \"(o)ne\"\nwhere = \"replace\"\ntext = \"uno\"\nregex = true\n", `anchor = "one"`, "path = \"c.rs\"\nfrom = \"c.txt\"\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if string(made.Beside["c.txt"]) != "new\n" || strings.Join(made.Anew, " ") != "b.rs c.rs" {
		t.Errorf("%q %q", made.Beside, made.Anew)
	}
}

func TestALongNewFileLiesBesideThePatch(t *testing.T) {
	for _, c := range []struct{ name, beside string }{{"src/long.rs", "long.rs"}, {"x/Cargo.toml", "new-Cargo.toml.txt"}} {
		text := strings.Repeat("line\n", longFile+1)
		made, err := TOML(t.Context(), Change{Title: "t", Reason: "r", Files: []string{c.name}, Before: tree(t, nil), After: tree(t, map[string]string{c.name: text})})
		if err != nil {
			t.Fatal(err)
		}
		if string(made.Beside[c.beside]) != text {
			t.Errorf("%s: %q", c.name, made.Text)
		}
	}
}

// TestEveryKeyIsWritten: a document with everything in it, written and read again, is the same.
func TestEveryKeyIsWritten(t *testing.T) {
	var full patch.Document
	fill(reflect.ValueOf(&full).Elem())
	again, err := Read("full", []byte(text(&full)))
	if err != nil {
		t.Fatalf("%v\n%s", err, text(&full))
	}
	if !reflect.DeepEqual(&full, again) {
		t.Errorf("%+v\nis read as\n%+v", full, again)
	}
}

// fill gives every field a value. Of two that exclude each other the first has one.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		one := false
		for i := range v.NumField() {
			oneOf := strings.HasSuffix(v.Type().Field(i).Tag.Get("toml"), ",oneof")
			if !oneOf || !one {
				fill(v.Field(i))
			}
			one = one || oneOf
		}
	case reflect.Int:
		v.SetInt(3)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		if v.Type() == reflect.TypeFor[patch.Where]() {
			v.SetString(string(patch.After))
		} else {
			v.SetString("a \"b\"\n'c'\n")
		}
	}
}
