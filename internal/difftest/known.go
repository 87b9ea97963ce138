package difftest

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Known is a difference that is understood and not ours to mend. A toolchain may be without it.
type Known struct {
	// Patch is that of cg_clif which mends it, without .toml: "0012-switch-on-u128".
	Patch string `toml:"patch,required"`
	// Cases are what differs, as the comparison names them: "switch/u128".
	Cases []string `toml:"cases,required"`
	// Reason says what is wrong.
	Reason string `toml:"reason,required"`
	// Note is a file below notes/.
	Note string `toml:"note,required"`
}

// Defect is a program that shows a defect of the Cranelift backend. A toolchain without the fix may refuse it in
// the way described; one with the fix has to compile it, and it has to print what LLVM's prints. Which of the
// two a toolchain is comes from trying.
type Defect struct {
	// Patch is that of cg_clif which mends it, without .toml.
	Patch string `toml:"patch,required"`
	// Name is the program's in recipes/difftest/defects.
	Name string `toml:"name,required"`
	// Refused is what the compiler or linker says without the fix: a regular expression over the log.
	Refused string `toml:"refused,required"`
	// Issue is upstream's; leave it out when none is known.
	Issue string `toml:"issue"`
	// Note is a file below notes/.
	Note string `toml:"note,required"`
}

// Refusal is what a log has of the words that the defect is known by, "" for nothing.
func (d *Defect) Refusal(log string) string {
	return regexp.MustCompile(d.Refused).FindString(log) // compiled when it was read
}

// Expected is recipes/difftest/expected.toml: what `mage test:diff` may find. Everything else is a failure, and so is what a toolchain still
// shows though it was built with the patch that mends it.
type Expected struct {
	// Known are cases that print something else by Cranelift than by LLVM.
	Known []Known `toml:"known"`
	// Defects are programs that Cranelift refuses to compile, or to link.
	Defects []Defect `toml:"defect"`
	// Objects are programs that are compiled and not run: what is looked at is the object file.
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
		for _, name := range k.Cases {
			if seen["case "+name] {
				all = multierror.Append(all, fmt.Errorf("%s: known difference %q is there twice", path, name))
			}
			seen["case "+name] = true
		}
	}
	for _, d := range e.Defects {
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
