package relibctest

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Known is what is known of some tests, and why it is so.
type Known struct {
	// Tests are named by their path in relibc's tests/, without .c: "stdio/ungetc_ftell".
	Tests []string `toml:"tests,required" json:"tests"`
	// What is what comes of them.
	What Verdict `toml:"what,required" json:"what"`
	// Reason says why it is so.
	Reason string `toml:"reason,required" json:"reason"`
	// Note is a file below notes/; a difference between the backends needs one.
	Note string `toml:"note" json:"note,omitempty"`
}

// Varying are tests that print something else each time.
type Varying struct {
	// Tests are named as in [[known]].
	Tests []string `toml:"tests,required"`
	// Mask is a regular expression for what varies; that is blanked before the backends are compared. How a test ends never is.
	Mask string `toml:"mask,required"`
	// Reason says why it varies.
	Reason string `toml:"reason,required"`

	mask *regexp.Regexp
}

// Limit is the time of tests that need more of it than others, or hang and need not have that much.
type Limit struct {
	// Tests are named as in [[known]].
	Tests []string `toml:"tests,required"`
	// Seconds is how long each may take; the others may take 30.
	Seconds int `toml:"seconds,required"`
	// Reason says why.
	Reason string `toml:"reason,required"`
}

// List is recipes/relibc-tests/known.toml: what is known of relibc's own tests, for `mage test:relibc`. Every test that does not pass is here
// with its reason.
type List struct {
	// Known are tests that do not pass, or not always.
	Known []Known `toml:"known"`
	// Varying are tests that print something else each time.
	Varying []Varying `toml:"varying"`
	// Limits are for tests that need more time than others, or hang and need not have that much.
	Limits []Limit `toml:"limit"`
}

// ReadList decodes the file; everything that is wrong with it comes back at once.
func ReadList(path string, text []byte) (*List, error) {
	l := &List{}
	if err := tomlfile.Decode(path, text, l); err != nil {
		return nil, err
	}
	var all *multierror.Error
	fail := func(format string, args ...any) {
		all = multierror.Append(all, fmt.Errorf(path+": "+format, args...))
	}
	seen := map[string]bool{}
	check := func(kind string, tests []string) {
		for _, name := range tests {
			if seen[kind+name] {
				fail("%s %q is there twice", kind, name)
			}
			seen[kind+name] = true
		}
	}
	for _, k := range l.Known {
		check("known", k.Tests)
		if k.What == Differs && k.Note == "" {
			fail("known %q: a difference between the backends needs a note", k.Tests)
		}
	}
	for i := range l.Varying {
		v := &l.Varying[i]
		check("varying", v.Tests)
		var err error
		if v.mask, err = regexp.Compile(v.Mask); err != nil {
			fail("varying %q: mask %q is no pattern", v.Tests, v.Mask)
		}
	}
	for _, s := range l.Limits {
		check("limit", s.Tests)
		if s.Seconds <= 0 {
			fail("limit %q: %d seconds are no time", s.Tests, s.Seconds)
		}
	}
	return l, all.ErrorOrNil()
}

// Unknown are the tests of the list that do not exist.
func (l *List) Unknown(names []string) []string {
	var unknown []string
	look := func(tests []string) {
		for _, name := range tests {
			if !slices.Contains(names, name) && !slices.Contains(unknown, name) {
				unknown = append(unknown, name)
			}
		}
	}
	for _, k := range l.Known {
		look(k.Tests)
	}
	for _, v := range l.Varying {
		look(v.Tests)
	}
	for _, s := range l.Limits {
		look(s.Tests)
	}
	return unknown
}

// Of is what is known of a test, nil for nothing.
func (l *List) Of(name string) *Known {
	for i := range l.Known {
		if slices.Contains(l.Known[i].Tests, name) {
			return &l.Known[i]
		}
	}
	return nil
}

// usualSeconds is how long a test may take; upstream's runner gives ten seconds to a machine that is not emulated.
const usualSeconds = 30

// Seconds is how long a test may take.
func (l *List) Seconds(name string) int {
	for _, s := range l.Limits {
		if slices.Contains(s.Tests, name) {
			return s.Seconds
		}
	}
	return usualSeconds
}

// masked blanks what varies.
func (l *List) masked(name, text string) string {
	for _, v := range l.Varying {
		if slices.Contains(v.Tests, name) {
			text = v.mask.ReplaceAllString(text, "#")
		}
	}
	return text
}
