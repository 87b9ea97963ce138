// Package drift compares what is derived with what it is derived from: toolchain files, lock files,
// target specs, patch series, generated code, workflows and sysroots.
//
// It owns the kinds of drift, the form of a finding and of a report, recipes/lock.toml and the patch
// series that carry the pin into foreign sources. It must not know where things are kept or how they
// are fetched (package session collects them), and it prints nothing.
//
// The form of annotations is that of GitHub's workflow commands (docs.github.com, "Workflow commands
// for GitHub Actions", and the escaping of actions/toolkit, packages/core/src/command.ts).
package drift

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/github"
)

// Kind is what sort of thing drifted.
type Kind string

// The kinds, in the order they are reported.
const (
	ToolchainFile Kind = "toolchain-file" // a rust-toolchain file and the pin
	Workflow      Kind = "workflow"       // a workflow's toolchain and the pin
	ToolchainLock Kind = "toolchain-lock" // the lock, the pin and the installed toolchain
	TargetSpec    Kind = "target-spec"    // a generated target JSON and its TOML
	SourceLock    Kind = "source-lock"    // a source's Cargo.lock and what was locked
	PatchSeries   Kind = "patch-series"   // a patch series and the pinned source
	Magefile      Kind = "magefile"       // the generated targets and the recipes
	Sysroot       Kind = "sysroot"        // built objects and what would build them now
)

// kinds is the order of a report.
var kinds = []Kind{ToolchainFile, Workflow, ToolchainLock, TargetSpec, SourceLock, PatchSeries, Magefile, Sysroot}

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

// Unchecked is something that could not be compared. It is no drift, and it is never passed over in silence.
type Unchecked struct {
	Kind Kind   `json:"kind"`
	What string `json:"what"`
	Why  string `json:"why"`
	Fix  string `json:"fix"` // what makes it possible to compare
}

// SeriesState is what became of a patch series on a source.
type SeriesState struct {
	Source  string `json:"source"`
	Series  string `json:"series"`
	Summary string `json:"summary"` // "3 applied, 1 satisfied"
}

// Report is everything one run found.
type Report struct {
	Findings  []Finding     `json:"findings"`
	Unchecked []Unchecked   `json:"unchecked"`
	Patches   []SeriesState `json:"patches"`
}

// Add notes findings.
func (r *Report) Add(found ...Finding) { r.Findings = append(r.Findings, found...) }

// Skip notes something that could not be compared.
func (r *Report) Skip(kind Kind, what, why, fix string) {
	r.Unchecked = append(r.Unchecked, Unchecked{kind, what, why, fix})
}

// Finish sorts the report and drops what was noted twice: two recipes may share a file.
func (r *Report) Finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if d := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); d != 0 {
			return d
		}
		if d := strings.Compare(a.Source+"\x00"+a.File, b.Source+"\x00"+b.File); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	r.Findings = unique(r.Findings)
	slices.SortStableFunc(r.Unchecked, func(a, b Unchecked) int {
		if d := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); d != 0 {
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
