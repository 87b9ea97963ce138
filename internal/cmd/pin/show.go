package pin

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// shown is what toolchain:show shows.
type shown struct {
	// Set is the release set, Sets are all of the checkout; both are empty where it has one without a name.
	Set  string   `json:"set,omitempty"`
	Sets []string `json:"sets,omitempty"`
	*toolchain.Report
	Manifest *rustbuild.Manifest   `json:"manifest,omitempty"` // when the toolchain was built here
	Built    []rustbuild.Installed `json:"built"`              // all that were
}

func (r *shown) print(w io.Writer) error {
	if err := ui.Table(w, append(setRows(r.Set, r.Sets), reportRows(r.Report)...)); err != nil {
		return err
	}
	for _, problem := range r.Problems {
		if _, err := fmt.Fprintf(w, "problem: %s\n", problem); err != nil {
			return err
		}
	}
	if rows := append(manifestRows(r.Manifest), builtRows(r.Built)...); len(rows) > 0 {
		fmt.Fprintln(w)
		return ui.Table(w, rows)
	}
	return nil
}

// setRows name the release set, and the others if there are any.
func setRows(set string, all []string) [][]string {
	if set == "" {
		return nil
	}
	rows := [][]string{{"release set", set}}
	if others := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == set }); len(others) > 0 {
		rows = append(rows, []string{"other sets", strings.Join(others, ", ")})
	}
	return rows
}

// reportRows are two columns, then one line per probe with a column per backend.
func reportRows(r *toolchain.Report) [][]string {
	rows := [][]string{{"pin", r.Channel}}
	if t := r.Toolchain; t != nil {
		rows = append(rows, []string{"provider", string(t.Provider)}, []string{"directory", t.Dir}, []string{"rust-src", orMissing(t.Library)},
			[]string{"tools", toolNames(t, r.Pin)})
	} else {
		rows = append(rows, []string{"installed", "no"})
	}
	if r.Identity != nil {
		rows = append(rows, []string{"identity", r.Identity.Digest[:16]})
	}
	if c := r.Capabilities; c != nil {
		rows = append(rows, measuredRows(c)...)
	}
	return rows
}

func measuredRows(c *toolchain.Capabilities) [][]string {
	rows := [][]string{
		{"rustc", c.Version.Release + " " + c.Version.Commit},
		{"cargo", c.Version.Cargo},
		{"LLVM", orMissing(c.Version.LLVM)},
		{"JSON target", flags(c)},
		{"no-f16-f128", yesNo(c.NoF16F128)},
		{"soft-float rustc-abi", softFloat(c.SoftFloatABI)},
		{""},
		{"probed for " + c.Triple, string(toolchain.LLVM), string(toolchain.Cranelift)},
	}
	for _, feature := range toolchain.Features() {
		row := []string{string(feature), yesNo(c.Can(toolchain.LLVM, feature).OK), yesNo(c.Can(toolchain.Cranelift, feature).OK)}
		if detail := reason(c, feature); detail != "" {
			row = append(row, detail)
		}
		rows = append(rows, row)
	}
	return rows
}

// reason is the first word on a failed probe. A backend that is not there
// fails all of them: only the line about presence says why.
func reason(c *toolchain.Capabilities, feature toolchain.Feature) string {
	for _, backend := range []toolchain.Backend{toolchain.LLVM, toolchain.Cranelift} {
		if feature != toolchain.Present && !c.Can(backend, toolchain.Present).OK {
			continue
		}
		if result := c.Can(backend, feature); !result.OK {
			return result.Detail
		}
	}
	return ""
}

func flags(c *toolchain.Capabilities) string {
	var all []string
	for _, flag := range c.RustcTargetFlags() {
		all = append(all, "rustc "+flag)
	}
	for _, flag := range c.CargoTargetFlags() {
		all = append(all, "cargo "+flag)
	}
	if len(all) == 0 {
		return "needs no flag"
	}
	return "needs " + strings.Join(all, ", ")
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
func toolNames(t *toolchain.Toolchain, pin *toolchain.Pin) string {
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

// manifestRows are what the toolchain in use was made of.
func manifestRows(m *rustbuild.Manifest) [][]string {
	if m == nil {
		return nil
	}
	rows := [][]string{
		{"built from", m.Archive}, {"  sha256", m.Source}, {"  identity", m.Identity[:16]}, {"  stage 0", m.Stage0},
		{"  LLVM", m.LLVMOrigin()}, {"  flags", m.Bootstrap[:16]}, {"  patches", m.Patches[:16]},
	}
	for _, p := range m.Applied {
		rows = append(rows, []string{"", p})
	}
	return rows
}

// builtRows are the toolchains that were built here.
func builtRows(all []rustbuild.Installed) [][]string {
	var rows [][]string
	label := "built here"
	for _, one := range all {
		text := one.Name + "  " + one.Dir
		if !one.Current {
			text += "  (not the newest)"
		}
		rows = append(rows, []string{label, fmt.Sprintf("%s, used %s ago", text, ui.Seconds(time.Since(one.Used)))})
		label = ""
	}
	return rows
}
