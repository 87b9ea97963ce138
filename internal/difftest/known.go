package difftest

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Known is a difference that is understood and not ours to mend. A toolchain may be without it.
type Known struct {
	Patch  string   `toml:"patch"` // of cg_clif that mends it, without .toml: "0012-switch-on-u128"
	Cases  []string `toml:"cases"`
	Reason string   `toml:"reason"`
	Note   string   `toml:"note"` // file below notes/
}

// Defect is a program that shows a defect of the Cranelift backend. A toolchain without the fix may refuse it in
// the way described; one with the fix has to compile it, and it has to print what LLVM's prints. Which of the
// two a toolchain is comes from trying.
type Defect struct {
	Patch string `toml:"patch"` // of cg_clif that mends it
	Name  string `toml:"name"`  // of the program
	// Refused is what the compiler or linker says without the fix: a regular expression over the log.
	Refused string `toml:"refused"`
	Issue   string `toml:"issue"` // upstream's, or "" when none is known
	Note    string `toml:"note"`
}

// Refusal is what a log has of the words that the defect is known by, "" for nothing.
func (d *Defect) Refusal(log string) string {
	return regexp.MustCompile(d.Refused).FindString(log) // compiled when it was read
}

// Expected is recipes/difftest/expected.toml.
type Expected struct {
	Known   []Known  `toml:"known"`
	Defects []Defect `toml:"defect"`
	Objects []Object `toml:"object"`
}

// ReadExpected decodes the file; everything that is wrong with it comes back at once.
func ReadExpected(path string, text []byte) (*Expected, error) {
	e := &Expected{}
	if err := tomlfile.Decode(path, text, e); err != nil {
		return nil, err
	}
	var all *multierror.Error
	seen := map[string]bool{}
	for _, k := range e.Known {
		if len(k.Cases) == 0 || k.Reason == "" || k.Note == "" || k.Patch == "" {
			all = multierror.Append(all, fmt.Errorf("%s: known difference %q: patch, cases, reason and note have to be there", path, k.Reason))
		}
		for _, name := range k.Cases {
			if seen["case "+name] {
				all = multierror.Append(all, fmt.Errorf("%s: known difference %q is there twice", path, name))
			}
			seen["case "+name] = true
		}
	}
	for _, d := range e.Defects {
		if d.Name == "" || d.Refused == "" || d.Note == "" || d.Patch == "" {
			all = multierror.Append(all, fmt.Errorf("%s: defect %q: patch, name, refused and note have to be there", path, d.Name))
		}
		if _, err := regexp.Compile(d.Refused); err != nil {
			all = multierror.Append(all, fmt.Errorf("%s: defect %q: %w", path, d.Name, err))
		}
		if seen["defect "+d.Name] {
			all = multierror.Append(all, fmt.Errorf("%s: defect %q is there twice", path, d.Name))
		}
		seen["defect "+d.Name] = true
	}
	for i := range e.Objects {
		o := &e.Objects[i]
		if err := o.check(); err != nil {
			all = multierror.Append(all, fmt.Errorf("%s: object %q: %w", path, o.Name, err))
		}
		if seen["object "+o.Name] {
			all = multierror.Append(all, fmt.Errorf("%s: object %q is there twice", path, o.Name))
		}
		seen["object "+o.Name] = true
	}
	return e, all.ErrorOrNil()
}
