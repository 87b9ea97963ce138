package diagnostic

import (
	"fmt"
	"strings"
	"testing"
)

func read(text string) ([]Message, int) {
	var r Reader
	for _, line := range strings.Split(text, "\n") {
		r.Line(line)
	}
	return r.Messages()
}

const mismatched = "\x1b[1m\x1b[91merror[E0308]\x1b[0m\x1b[1m: mismatched types\x1b[0m\n" +
	"  \x1b[1m\x1b[94m--> \x1b[0msrc/a b.rs:3:18\n" +
	"   \x1b[1m\x1b[94m|\x1b[0m\n" +
	"\x1b[1m\x1b[94m3\x1b[0m  \x1b[1m\x1b[94m|\x1b[0m     let x: u32 = \"\";\n" +
	"   \x1b[1m\x1b[94m|\x1b[0m            \x1b[1m\x1b[94m---\x1b[0m   \x1b[1m\x1b[91m^^\x1b[0m \x1b[1m\x1b[91mexpected `u32`, found `&str`\x1b[0m\n" +
	"   \x1b[1m\x1b[94m|\x1b[0m\n" +
	"  \x1b[1m\x1b[94m::: \x1b[0msrc/b.rs:1:2"

// Every error comes whole, with its blanks and colours; warnings, cargo's own words and what only counts are left out.
func TestErrorsOfAStep(t *testing.T) {
	unresolved := "error[E0425]: cannot find value `y` in this scope\n --> src/main.rs:9:5\n  |\n9 |     y\n  |     ^ not found\n\nnote: a note after a blank line"
	undefined := "rust-lld: error: undefined symbol: _ZN4core9panicking5panic17h0123456789abcdefE\n>>> referenced by a.rs\n>>>               a.o:(_RNvC1a4main)"
	custom := "error: failed to run custom build command for `x v1`\n\nCaused by:\n  process didn't exit successfully\n  --- stderr\n  boom\n\n  more"
	clang := "src/x.c:3:9: error: use of undeclared identifier 'q'\n    return q;\n           ^"
	ice := "thread 'rustc' panicked at compiler/x.rs:1:1:\noops"
	for _, c := range []struct {
		name, said string
		want       []string
		places     []Place
	}{
		{"all of rustc's", "   Compiling x v1 (/x)\nwarning: unused\n --> src/w.rs:1:1\n\n" + mismatched + "\n\n" + unresolved +
			"\n\nSome errors have detailed explanations: E0308.\nerror: aborting due to 2 previous errors\n\nerror: could not compile `x` (bin \"x\") due to 2 previous errors\nwarning: build failed, waiting for other jobs to finish...",
			[]string{mismatched, unresolved}, []Place{{"src/a b.rs", 3, 18}, {"src/main.rs", 9, 5}}},
		{"a warning between", unresolved + "\n\nwarning: unused\n  --> src/w.rs:1:1\n\n" + clang, []string{unresolved, clang}, []Place{{"src/main.rs", 9, 5}, {"src/x.c", 3, 9}}},
		{"the linker's, demangled", undefined + "\n\nrust-lld: error: no such file: x", []string{
			"rust-lld: error: undefined symbol: core::panicking::panic\n>>> referenced by a.rs\n>>>               a.o:(a::main)", "rust-lld: error: no such file: x"}, []Place{{}, {}}},
		{"cargo's causes", custom + "\n   Compiling y v1\n", []string{custom}, []Place{{}}},
		{"a compiler that fails", ice + "\n\nnote: we would appreciate a bug report\n\nsomething else", []string{ice + "\n\nnote: we would appreciate a bug report"}, []Place{{}}},
		{"only a count", "error: could not compile `x` (lib)", []string{"error: could not compile `x` (lib)"}, []Place{{}}},
		{"nothing", "errors are fine\nthe error: inside", nil, nil},
	} {
		got, left := read(c.said)
		if left != 0 || len(got) != len(c.want) {
			t.Errorf("%s: %d messages and %d more: %+v", c.name, len(got), left, got)
			continue
		}
		for i, m := range got {
			if m.Text != c.want[i] || m.Place != c.places[i] {
				t.Errorf("%s: got\n%q at %v, want\n%q at %v", c.name, m.Text, m.Place, c.want[i], c.places[i])
			}
		}
	}
}

func TestTitleHasNoColours(t *testing.T) {
	got, _ := read(mismatched)
	if title := got[0].Title(); title != "error[E0308]: mismatched types" {
		t.Errorf("%q", title)
	}
}

// The paths of arrows are renamed, whatever colours they stand between; the source that is quoted is not.
func TestRename(t *testing.T) {
	got, _ := read(mismatched + "\n3 | // src/b.rs:1:2\n\nsrc/x.c:3:9: error: x\nsrc/x.c:4:1: note: y")
	upper := func(file string) string { return "/user/" + file }
	first, second := got[0].Rename(upper), got[1].Rename(upper)
	want := strings.NewReplacer("src/a b.rs:3", "/user/src/a b.rs:3", "src/b.rs:1", "/user/src/b.rs:1").Replace(mismatched) + "\n3 | // src/b.rs:1:2"
	if first.Text != want || first.Place != (Place{"/user/src/a b.rs", 3, 18}) {
		t.Errorf("got\n%q at %v, want\n%q", first.Text, first.Place, want)
	}
	if !strings.HasPrefix(second.Text, "/user/src/x.c:3:9: error") || second.Place.File != "/user/src/x.c" {
		t.Errorf("%+v", second)
	}
}

// A tool that goes on and on fills no memory, and it is said how much is left out.
func TestManyErrorsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 10 * mostMessages {
		fmt.Fprintf(&b, "error: %d\n%s\n\n", i, strings.Repeat("x\n", 5000))
	}
	got, left := read(b.String())
	size := 0
	for _, m := range got {
		size += len(m.Text)
	}
	if len(got)+left != 10*mostMessages || len(got) == 0 || len(got) > mostMessages || size > mostBytes {
		t.Errorf("%d messages of %d bytes, %d left out", len(got), size, left)
	}
}
