package disk

import (
	"testing"
)

func TestCommandLine(t *testing.T) {
	got := commandLine("/usr/bin/q", []string{"-drive", "file=a b.img", "", "it's", "x,y=z:1"})
	if want := `/usr/bin/q -drive 'file=a b.img' '' 'it'\''s' x,y=z:1`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
