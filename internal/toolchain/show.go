package toolchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/hashicorp/go-multierror"
)

// Report is everything `toolchain:show` shows. Parts that are not known are
// nil: a machine without the toolchain still has a pin to show.
type Report struct {
	Pin          *Pin          `json:"-"`
	Channel      string        `json:"pin"`
	Toolchain    *Toolchain    `json:"toolchain,omitempty"`
	Identity     *Identity     `json:"identity,omitempty"`
	Capabilities *Capabilities `json:"capabilities,omitempty"`
	Problems     []string      `json:"problems,omitempty"` // why a part is not known, or does not fit the pin
}

// NewReport puts together what is known; problem may be nil.
func NewReport(pin *Pin, t *Toolchain, identity *Identity, measured *Capabilities, problem error) *Report {
	report := &Report{Pin: pin, Channel: pin.Toolchain.Channel, Toolchain: t, Identity: identity, Capabilities: measured}
	report.add(problem)
	if t != nil && measured != nil {
		report.add(pin.Verify(t, measured.Version))
	}
	return report
}

// add notes each of the errors in err.
func (r *Report) add(err error) {
	var several *multierror.Error
	if !errors.As(err, &several) {
		several = multierror.Append(several, err)
	}
	for _, one := range several.WrappedErrors() {
		if one != nil {
			r.Problems = append(r.Problems, one.Error())
		}
	}
}

// WriteJSON writes the report as one JSON document.
func (r *Report) WriteJSON(w io.Writer) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// WriteTable writes the report for people: two columns, then one line per
// probe with a column per backend.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) } // errors surface in Flush
	row("pin", r.Channel)
	if t := r.Toolchain; t != nil {
		row("provider", string(t.Provider))
		row("directory", t.Dir)
		row("rust-src", orMissing(t.Library))
		row("tools", toolNames(t, r.Pin))
	} else {
		row("installed", "no")
	}
	if r.Identity != nil {
		row("identity", r.Identity.Digest[:16])
	}
	if c := r.Capabilities; c != nil {
		c.rows(row)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, problem := range r.Problems {
		if _, err := fmt.Fprintf(w, "problem: %s\n", problem); err != nil {
			return err
		}
	}
	return nil
}

// rows shows the measurements.
func (c *Capabilities) rows(row func(...string)) {
	row("rustc", c.Version.Release+" "+c.Version.Commit)
	row("cargo", c.Version.Cargo)
	row("LLVM", orMissing(c.Version.LLVM))
	row("JSON target", flags(c))
	row("no-f16-f128", yesNo(c.NoF16F128))
	row("soft-float rustc-abi", softFloat(c.SoftFloatABI))
	row("")
	row("probed for "+c.Triple, string(LLVM), string(Cranelift))
	for _, feature := range Features() {
		llvm, clif := c.Can(LLVM, feature), c.Can(Cranelift, feature)
		cells := []string{string(feature), yesNo(llvm.OK), yesNo(clif.OK)}
		if detail := c.reason(feature); detail != "" {
			cells = append(cells, detail)
		}
		row(cells...)
	}
}

// reason is the first word on a failed probe. A backend that is not there
// fails all of them: only the line about presence says why.
func (c *Capabilities) reason(feature Feature) string {
	for _, backend := range []Backend{LLVM, Cranelift} {
		if feature != Present && !c.Can(backend, Present).OK {
			continue
		}
		if result := c.Can(backend, feature); !result.OK {
			return result.Detail
		}
	}
	return ""
}

func flags(c *Capabilities) string {
	all := append(prefixed("rustc ", c.RustcTargetFlags()), prefixed("cargo ", c.CargoTargetFlags())...)
	if len(all) == 0 {
		return "needs no flag"
	}
	return "needs " + strings.Join(all, ", ")
}

func prefixed(prefix string, words []string) []string {
	var all []string
	for _, word := range words {
		all = append(all, prefix+word)
	}
	return all
}

func softFloat(abi map[string]string) string {
	var all []string
	for arch, name := range abi {
		all = append(all, arch+" "+name)
	}
	slices.Sort(all)
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// toolNames lists the tools the pin requires, the missing ones as such.
func toolNames(t *Toolchain, pin *Pin) string {
	var all []string
	for _, name := range pin.Requires.Tools {
		if t.Tools[name] == "" {
			name = "no " + name
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func orMissing(text string) string {
	if text == "" {
		return "missing"
	}
	return text
}
