package terminal

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"text", "a line\n\tund noch ein Wört, 日本, 👍🏽\r\n", "a line\n\tund noch ein Wört, 日本, 👍🏽\r\n"},
		{"colours", "\x1b[1m\x1b[38;5;9merror\x1b[0m\x1b[m", "\x1b[1m\x1b[38;5;9merror\x1b[0m\x1b[m"},
		{"colour number 8", "\x1b[38;5;8mgrey\x1b[48;2;8;8;8mx\x1b[38:5:8my", "\x1b[38;5;8mgrey\x1b[48;2;8;8;8mx\x1b[38:5:8my"},
		{"hidden text", "\x1b[8mhidden\x1b[0;08mhere", `\x1b[8mhidden\x1b[0;08mhere`},
		{"title", "\x1b]0;title\a", `\x1b]0;title\x07`},
		{"clipboard", "\x1b]52;c;eA==\x1b\\", `\x1b]52;c;eA==\x1b\`},
		{"cursor", "\x1b[2J\x1b[1;1Hx\x1b[?1049h", `\x1b[2J\x1b[1;1Hx\x1b[?1049h`},
		{"colour that is none", "\x1b[31\nm\x1b[31$m", `\x1b[31` + "\n" + `m\x1b[31$m`},
		{"an endless colour", "\x1b[" + strings.Repeat("1", 40) + "m", `\x1b[` + strings.Repeat("1", 40) + "m"},
		{"overwritten line", "real\rfake", `real\x0dfake`},
		{"C1", "\u009b2J and \x9b2J", `\u009b2J and \x9b2J`},
		{"backspaces", "rm\b\bls\x7f\x00", `rm\x08\x08ls\x7f\x00`},
		{"backwards", "gnp.\u202eexe\u2066", `gnp.\u202eexe\u2066`},
		{"lines that are none", "a\u2028b", `a\u2028b`},
	} {
		if got := Clean(c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if again := Clean(Clean(c.text)); again != c.want {
			t.Errorf("%s: cleaned twice it is %q", c.name, again)
		}
		for size := 1; size < 8; size++ {
			var b strings.Builder
			w := NewWriter(&b)
			for rest := c.text; rest != ""; {
				part := rest[:min(size, len(rest))]
				rest = rest[len(part):]
				if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := w.Flush(); err != nil || b.String() != c.want {
				t.Errorf("%s, in parts of %d: got %q, want %q", c.name, size, b.String(), c.want)
			}
		}
	}
}

// full takes so many writes, and then none for as long as it is full.
type full struct {
	taken string
	room  int
}

func (f *full) Write(p []byte) (int, error) {
	if f.room--; f.room == -1 {
		return 0, syscall.ENOSPC
	}
	f.taken += string(p)
	return len(p), nil
}

func TestWhatCouldNotBeWrittenIsSaidAtTheEnd(t *testing.T) {
	for _, room := range []int{0, 1, 2} {
		to := &full{room: room}
		w := NewWriter(to)
		for _, line := range []string{"one\n", "two \a\n", "three \x1b"} {
			_, _ = w.Write([]byte(line))
		}
		if err := w.Flush(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("room for %d: the end says %v", room, err)
		}
		if err := w.Flush(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("room for %d: the end says %v the second time", room, err)
		}
		// A line after a gap would read as if nothing were missing.
		if want := strings.Join([]string{"one\n", "two \\x07\n"}[:room], ""); to.taken != want {
			t.Errorf("room for %d: got %q, want %q", room, to.taken, want)
		}
	}
}

func TestBareHasNoColours(t *testing.T) {
	if got := Bare("\x1b[31mred\x1b[0m \x1b[2J"); got != `red \x1b[2J` {
		t.Errorf("%q", got)
	}
	// What is left when a colour is taken out may be one.
	if got := Bare("\x1b[3\x1b[0m1mred"); strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

// Nothing reaches a terminal that it would act on.
func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31mb\x1b]0;x\a")
	f.Fuzz(func(t *testing.T, text string) {
		left := Bare(text)
		for i, r := range left {
			if !mayStand(r) && !(r == '\r' && strings.HasPrefix(left[i:], "\r\n")) {
				t.Errorf("%q has %q", left, r)
			}
		}
		var b strings.Builder
		w := NewWriter(&b)
		for _, c := range []byte(text) {
			_, _ = w.Write([]byte{c})
		}
		if _ = w.Flush(); b.String() != Clean(text) {
			t.Errorf("byte by byte %q, at once %q", b.String(), Clean(text))
		}
	})
}
