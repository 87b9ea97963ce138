package foldcase

import (
	"os"
	"testing"
)

// TestNames: what is one file on a Mac is found, and nothing else.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string // the other name of the last
	}{
		{[]string{"Makefile", "makefile"}, "Makefile"},
		{[]string{"src/A/x", "src/a/y"}, "src/A"},
		{[]string{"src", "SRC/x"}, "src"},
		{[]string{"src/a", "src/b", "src/a/c", "src/a"}, ""},
		{[]string{"caf\u00e9", "cafe\u0301"}, "caf\u00e9"},
		{[]string{"Stra\u00dfe", "STRASSE"}, "Stra\u00dfe"},
		{[]string{"\u212a", "k"}, "\u212a"}, // the sign for Kelvin
		{[]string{"a", "b", "ab", "a-b"}, ""},
	} {
		var n Names
		got := ""
		for _, name := range c.names {
			got = n.Add(name)
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.names, got, c.want)
		}
	}
}

// Asking leaves nothing, and says what two files say.
func TestIn(t *testing.T) {
	dir := t.TempDir()
	folds, err := In(dir)
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	for _, name := range []string{"a", "A"} {
		if err := os.WriteFile(dir+"/"+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || (len(entries) == 1) != folds {
		t.Errorf("folds: %v, and there are %v, %v", folds, entries, err)
	}
	if _, err := In(dir + "/none"); err == nil {
		t.Error("a folder that is not there was asked")
	}
}
