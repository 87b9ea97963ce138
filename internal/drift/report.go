package drift

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/github"
)

// Finding is one thing that is not what it is derived from.
type Finding struct {
	Kind Kind `json:"kind"`
	// Source names the source that File is in; empty when File is in the checkout.
	Source string `json:"source,omitempty"`
	// File is a slash path below the checkout or the source.
	File string `json:"file"`
	// Line counts from 1; 0 when the file as a whole drifted or is missing.
	Line int `json:"line,omitempty"`
	// Expected and Found are one line each; Found is empty when it is not there.
	Expected string `json:"expected"`
	Found    string `json:"found"`
	// Fix is the command that mends it, or what to do by hand when no command can.
	Fix string `json:"fix"`
	// InCheckout is the file of the checkout that a finding in a source is shown at: its recipe.
	InCheckout string `json:"recipe,omitempty"`
}

// Place is where the finding is, as compilers write it: "targets/x.json:3", "base: rust-toolchain:1".
func (f Finding) Place() string {
	place := f.File
	if f.Line > 0 {
		place += ":" + strconv.Itoa(f.Line)
	}
	if f.Source != "" {
		place = f.Source + ": " + place
	}
	return place
}

// Message is the finding in one line without its place.
func (f Finding) Message() string {
	found := f.Found
	if found == "" {
		found = "nothing"
	}
	return fmt.Sprintf("expected %s, found %s", f.Expected, found)
}

// Annotation shows the finding at its line, or one in a source at the recipe that has it.
func (f Finding) Annotation() github.Annotation {
	a := github.Annotation{Kind: "error", File: f.File, Line: f.Line, Title: "drift: " + string(f.Kind), Text: f.Message() + "\n" + f.Fix}
	if f.Source != "" {
		a.File, a.Line, a.Text = f.InCheckout, 0, f.Place()+": "+a.Text
	}
	return a
}

// SeriesState is what became of a patch series on a source.
type SeriesState struct {
	Source  string `json:"source"`
	Series  string `json:"series"`
	Summary string `json:"summary"` // "3 applied, 1 satisfied"
}

// Report is everything one run found.
type Report struct {
	// Set is the release set that was compared; empty where it has no name.
	Set       string        `json:"set,omitempty"`
	Findings  []Finding     `json:"findings"`
	Unchecked []Unchecked   `json:"unchecked"`
	Patches   []SeriesState `json:"patches"`
	// Kinds are what was compared.
	Kinds []Comparison `json:"kinds,omitempty"`
}

// mendIn has the commands that mend work in a release set.
func (r *Report) mendIn(set string) {
	in := func(fix *string) {
		if strings.HasPrefix(*fix, "mage ") {
			*fix = "REDOX_SET=" + set + " " + *fix
		}
	}
	for i := range r.Findings {
		in(&r.Findings[i].Fix)
	}
	for i := range r.Unchecked {
		in(&r.Unchecked[i].Fix)
	}
}

// add notes findings.
func (r *Report) add(found ...Finding) { r.Findings = append(r.Findings, found...) }

// skip notes something that could not be compared.
func (r *Report) skip(kind Kind, what, why, fix string) {
	r.Unchecked = append(r.Unchecked, Unchecked{kind, what, why, fix})
}

// finish sorts the report and drops what was noted twice: two recipes may share a file.
func (r *Report) finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if d := order(a.Kind) - order(b.Kind); d != 0 {
			return d
		}
		if d := strings.Compare(a.Source+"\x00"+a.File, b.Source+"\x00"+b.File); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	r.Findings = unique(r.Findings)
	slices.SortStableFunc(r.Unchecked, func(a, b Unchecked) int {
		if d := order(a.Kind) - order(b.Kind); d != 0 {
			return d
		}
		return strings.Compare(a.What, b.What)
	})
	r.Unchecked = unique(r.Unchecked)
	// Empty lists, not null: who reads the JSON need not know Go.
	r.Findings, r.Unchecked, r.Patches = orEmpty(r.Findings), orEmpty(r.Unchecked), orEmpty(r.Patches)
}

// unique keeps the first of each.
func unique[T comparable](list []T) []T {
	seen := map[T]bool{}
	return slices.DeleteFunc(list, func(one T) bool {
		twice := seen[one]
		seen[one] = true
		return twice
	})
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
