package nearest

import (
	"slices"
	"testing"
)

func TestDistanceCountsLettersAndSwaps(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"demo", "demo", 0}, {"demmo", "demo", 1}, {"demo", "dmo", 1},
		{"dryrnu", "dryrun", 1}, {"helics", "helix", 2}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"größe", "grösse", 2},
	} {
		if got := Distance(test.a, test.b); got != test.want {
			t.Errorf("%s, %s: %d, want %d", test.a, test.b, got, test.want)
		}
		if got := Distance(test.b, test.a); got != test.want {
			t.Errorf("%s, %s: %d, want %d", test.b, test.a, got, test.want)
		}
	}
}

func TestOnlyTheClosestAreOffered(t *testing.T) {
	known := []string{"demo", "doctor", "drift", "helix", "ion", "ipcd", "image", "pkg:remove", "pkg:verify", "toolchain:install"}
	for word, want := range map[string][]string{
		"demmo":  {"demo"},
		"DEMMO":  {"demo"},
		"helics": {"helix"},
		"foo":    nil, // two letters of three
		"oin":    {"ion"},
		"imagge": {"image"},
		"toolch": {"toolchain:install"}, // its beginning
		"pkg:":   {"pkg:remove", "pkg:verify"},
		"":       nil,
		"xyzzy":  nil,
	} {
		if got := Names(word, known); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Names("aaaa", []string{"aaab", "aaac", "aaad", "aaae"}); len(got) != 3 {
		t.Errorf("more than an answer: %q", got)
	}
}
