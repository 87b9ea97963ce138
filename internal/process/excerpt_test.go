package process

import (
	"fmt"
	"strings"
	"testing"
)

func TestExcerpt(t *testing.T) {
	line := strings.Repeat("0123456789", 7000) // longer than a side
	for _, c := range []struct {
		name, text string
		whole      bool
	}{
		{"nothing", "", true},
		{"a line", "error\n", true},
		{"more than one side", line, true},
		{"just what is kept", strings.Repeat("x", 2*excerptSide), true},
		{"one byte more", strings.Repeat("x", 2*excerptSide+1), false},
		{"very much", strings.Repeat(line, 10), false},
	} {
		for _, size := range []int{1000, 32 << 10, 1 << 20} {
			var e Excerpt
			for rest := c.text; rest != ""; {
				n, err := e.Write([]byte(rest[:min(size, len(rest))]))
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			want := c.text
			if !c.whole {
				want = fmt.Sprintf("%s\n[%d bytes left out]\n%s", c.text[:excerptSide], len(c.text)-2*excerptSide, c.text[len(c.text)-excerptSide:])
			}
			if e.String() != want || cap(e.head)+cap(e.tail) > 8*excerptSide {
				t.Errorf("%s in parts of %d: %d bytes, want %d; %d held", c.name, size, len(e.String()), len(want), cap(e.head)+cap(e.tail))
			}
		}
	}
}
