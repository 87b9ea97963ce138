package unixmode

import (
	"io/fs"
	"testing"
)

func TestBits(t *testing.T) {
	for mode, want := range map[fs.FileMode]uint16{
		0o644: 0o644, fs.ModeDir | 0o755: 0o755, fs.ModeSetuid | 0o755: 0o4755, fs.ModeSetgid | 0o711: 0o2711, fs.ModeDir | fs.ModeSticky | 0o777: 0o1777,
		fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | 0o777: 0o7777,
	} {
		if got := Bits(mode); got != want {
			t.Errorf("%v: %o, want %o", mode, got, want)
		}
	}
}
