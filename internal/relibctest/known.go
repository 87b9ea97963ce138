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
	Tests []string `toml:"tests" json:"tests"`
	// What is one of the verdicts that are no success, or Unsteady.
	What   Verdict `toml:"what" json:"what"`
	Reason string  `toml:"reason" json:"reason"`
	Note   string  `toml:"note" json:"note,omitempty"` // file below notes/; a difference between the backends needs one
}

// Varying are tests that print something else each time.
type Varying struct {
	Tests []string `toml:"tests"`
	// Mask matches what varies; it is blanked before the backends are compared.
	Mask   string `toml:"mask"`
	Reason string `toml:"reason"`

	mask *regexp.Regexp
}

// Limit is the time of tests that need more of it than others, or hang and need not have that much.
type Limit struct {
	Tests   []string `toml:"tests"`
	Seconds int      `toml:"seconds"`
	Reason  string   `toml:"reason"`
}

// List is recipes/relibc-tests/known.toml.
type List struct {
	Known   []Known   `toml:"known"`
	Varying []Varying `toml:"varying"`
	Limits  []Limit   `toml:"limit"`
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
	check := func(kind, reason string, tests []string) {
		if reason == "" || len(tests) == 0 {
			fail("%s %q: tests and reason have to be there", kind, tests)
		}
		for _, name := range tests {
			if seen[kind+name] {
				fail("%s %q is there twice", kind, name)
			}
			seen[kind+name] = true
		}
	}
	for _, k := range l.Known {
		check("known", k.Reason, k.Tests)
		if !slices.Contains([]Verdict{NotRun, NotCompiled, Fails, Differs, Unsteady}, k.What) {
			fail("known %q: what = %q is not one of %q, %q, %q, %q, %q", k.Tests, k.What, NotRun, NotCompiled, Fails, Differs, Unsteady)
		}
		if k.What == Differs && k.Note == "" {
			fail("known %q: a difference between the backends needs a note", k.Tests)
		}
	}
	for i := range l.Varying {
		v := &l.Varying[i]
		check("varying", v.Reason, v.Tests)
		var err error
		if v.mask, err = regexp.Compile(v.Mask); err != nil || v.Mask == "" {
			fail("varying %q: mask %q is no pattern", v.Tests, v.Mask)
		}
	}
	for _, s := range l.Limits {
		check("limit", s.Reason, s.Tests)
		if s.Seconds <= 0 {
			fail("limit %q: seconds have to be there", s.Tests)
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
