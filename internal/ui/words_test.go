package ui

import (
	"strings"
	"testing"
)

// The names in somebody else's file do not reach the terminal as they are.
func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"bin/ls": "bin/ls", "with space": "with space", "ü": "ü", "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "\xff": `"\xff"`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := Printable(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestSomeOf(t *testing.T) {
	if got := SomeOf([]string{"a", "\x1b[2J"}); got != `a, "\x1b[2J"` {
		t.Error(got)
	}
	names := strings.Fields(strings.Repeat("n ", 2000))
	if got := SomeOf(names); !strings.HasSuffix(got, "and 1985 more") || len(got) > 100 {
		t.Errorf("%q", got)
	}
	if got := SomeOf(names[:20]); strings.Contains(got, "more") {
		t.Errorf("%q", got)
	}
}

func TestSome(t *testing.T) {
	if got := Some(strings.Split("abcdefgh", "")); got != "a, b, c, d, e, f and 2 more" {
		t.Error(got)
	}
}
