package drift

import (
	"context"
	"slices"

	"github.com/pannous/redox-clif/internal/recipe/gen"
)

// Kind is the name of one sort of drift.
type Kind string

// Comparison is what is known of a kind of drift.
type Comparison struct {
	Kind     Kind   `json:"kind"`
	Compares string `json:"compares"` // "THIS with THAT", one line
	// Mend is the command that mends most of it, or what to do by hand; every finding has its own.
	Mend string `json:"mend"`

	// ofSet says that every release set has its own; the others are compared with the active one.
	ofSet bool
	// check notes what drifted and what could not be compared. The error is what kept it from comparing.
	check func(context.Context, *inputs, *Report) error
}

// Kinds are all kinds of drift, in the order of a report.
func Kinds() []Comparison {
	return []Comparison{
		{ToolchainFile, "every rust-toolchain file with the pin: here, and in sources as their patches leave them", pinFix("CHANNEL"), true, checkToolchainFiles},
		{Workflow, "the toolchains that workflows name with the pin", pinFix("CHANNEL"), false, checkWorkflows},
		{ToolchainLock, "the pin's lock with the pin, and both with the installed toolchain", lockFix, true, checkToolchainLock},
		{TargetSpec, "targets/*.json with what their TOML gives for the pinned compiler", specFix, false, checkTargetSpecs},
		{SourceLock, LockFile + " with the pinned sources and the Cargo.lock files in them", sourceLockFix, true, checkSourceLock},
		{PatchSeries, "every patch series with the source it is for", "edit the patch by hand", true, checkPatchSeries},
		{Magefile, "the generated targets with the recipes", gen.Command, false, checkMagefile},
		{Sysroot, "exported sysroots with what would build them now", sysrootFix("NAME"), false, checkSysroots},
	}
}

// order is the place of a kind in a report.
func order(k Kind) int {
	return slices.IndexFunc(Kinds(), func(c Comparison) bool { return c.Kind == k })
}
