package pkgversion

import (
	"strings"
	"testing"
)

// Versions of which the earlier one is older.
func TestOlder(t *testing.T) {
	rising := [][]string{
		{"0.9", "1.0-dev", "1.0.pre", "1.0-alpha", "1.0-alpha.2", "1.0b1", "1.0-rc1", "1.0rc2", "1.0-rc.10", "1.0", "v1.0.1", "1.2", "1.10", "2", "10.0.0"},
		{"20240101", "20240102", "20250101"},
		{"2024-05-01", "2024-05-02", "2025-01-01"},
		{"1." + strings.Repeat("9", 40), "1.1" + strings.Repeat("0", 40)},
	}
	for _, list := range rising {
		for i, a := range list {
			for j, b := range list {
				if got := Older(a, b); got != (i < j) {
					t.Errorf("%s older than %s: %v", a, b, got)
				}
			}
		}
	}
}

func TestEqual(t *testing.T) {
	for _, pair := range [][2]string{{"1.0", "1"}, {"v1.0", "1.0.0"}, {"1.0", "1.0+build.7"}, {"01.2", "1.02"}, {"git-abc", "git-abc"}, {"1.0-RC1", "1.0-rc1"}} {
		if order, ok := Compare(pair[0], pair[1]); order != 0 || !ok {
			t.Errorf("%v: %d, %v", pair, order, ok)
		}
	}
}

// What has no order is not given one.
func TestNoOrder(t *testing.T) {
	for _, pair := range [][2]string{{"git-0123456789ab", "git-123456789abc"}, {"tree-a", "1.0"}, {"1.0", "1.0k"}, {"1.0-git", "1.0"}, {"", "1"}, {"NaN", "1"}, {"-1", "1"}} {
		for range 2 {
			if order, ok := Compare(pair[0], pair[1]); ok {
				t.Errorf("%v: %d", pair, order)
			}
			pair[0], pair[1] = pair[1], pair[0]
		}
	}
}
