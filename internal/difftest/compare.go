package difftest

import (
	"fmt"
	"slices"
	"strings"
)

// The backends that are compared, as the lines of the programs name them.
const (
	Reference = "llvm"
	Tested    = "cranelift"
)

// Missing is the value of a case that a backend did not print.
const Missing = "(not printed)"

// Result is one case by both backends.
type Result struct {
	Name      string
	Reference string // by LLVM
	Tested    string // by Cranelift
	Known     *Known // the entry that allows the difference, if there is one
	// First is the first item that differs, once the case was traced.
	First string
}

// Differs says whether the backends disagree.
func (r Result) Differs() bool { return r.Reference != r.Tested }

func (r Result) String() string {
	text := fmt.Sprintf("%s\n  llvm:      %s\n  cranelift: %s", r.Name, indent(r.Reference), indent(r.Tested))
	if r.First != "" {
		text += "\n  " + r.First
	}
	return text
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n             ") }

// Compare pairs the cases of the backends, in the order of the reference.
func Compare(run *Run, known []Known) []Result {
	ref, got := run.Outputs[Reference], run.Outputs[Tested]
	if ref == nil {
		ref = &Output{}
	}
	if got == nil {
		got = &Output{}
	}
	value := func(o *Output, name string) string {
		if v, ok := o.Values[name]; ok {
			return v
		}
		return Missing
	}
	names := slices.Clone(ref.Names)
	for _, name := range got.Names {
		if _, ok := ref.Values[name]; !ok {
			names = append(names, name)
		}
	}
	var results []Result
	for _, name := range names {
		r := Result{Name: name, Reference: value(ref, name), Tested: value(got, name)}
		for i := range known {
			if slices.Contains(known[i].Cases, name) {
				r.Known = &known[i]
			}
		}
		results = append(results, r)
	}
	return results
}

// FirstItem is the first item of a traced case in which the backends differ, as text.
func FirstItem(run *Run, name string) string {
	ref, got := run.Items[Reference][name], run.Items[Tested][name]
	for i := 0; i < max(len(ref), len(got)); i++ {
		a, b := Missing, Missing
		if i < len(ref) {
			a = ref[i]
		}
		if i < len(got) {
			b = got[i]
		}
		if a != b {
			return fmt.Sprintf("first difference: item %d of %d: llvm %s, cranelift %s", i, len(ref), a, b)
		}
	}
	return ""
}
