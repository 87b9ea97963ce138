package terminal

import (
	"strings"
	"testing"
)

// However a colour is cut when it is written, it does not reach the file, and nothing else is lost.
func TestUncoloured(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b[1m\x1b[38;5;9merror\x1b[0m: a\n\x1b[2Kb\x1b]0;x\a": "error: a\n\x1b[2Kb\x1b]0;x\a",
		"no colour, \xff\x1b":             "no colour, \xff\x1b",
		"\x1b[" + strings.Repeat("1", 50): "\x1b[" + strings.Repeat("1", 50),
	} {
		for size := 1; size < 9; size++ {
			var b strings.Builder
			u := NewUncoloured(&b)
			for rest := text; rest != ""; {
				part := rest[:min(size, len(rest))]
				rest = rest[len(part):]
				if n, err := u.Write([]byte(part)); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := u.Flush(); err != nil || b.String() != want {
				t.Errorf("in parts of %d: got %q, want %q", size, b.String(), want)
			}
		}
	}
}
