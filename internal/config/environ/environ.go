// Package environ names the environment variables that are understood.
//
// It owns their names and what help says of them. It must not know what becomes of their values: package config reads them. It is a
// package of its own, with no others below it, because help is asked of the front, whose every dependency delays every start.
package environ

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultTarget is the user-space target that is built when nothing else is asked for.
const DefaultTarget = "aarch64-unknown-redox-clif"

// SourcePrefix starts the variables that replace one source by a folder.
const SourcePrefix = "REDOX_SOURCE_"

// Variable is an environment variable with its meaning.
type Variable struct{ Name, Help string }

var variables = []Variable{
	{"REDOX_TOOLCHAIN", "a toolchain to use in place of the pinned rustup toolchain: a directory (with a slash) or the name of one that toolchain:build made"},
	{"REDOX_CACHE", "where results and downloads are kept (default: redox-clif in the user's cache folder)"},
	{"REDOX_TARGET", "user-space target (default: " + DefaultTarget + ")"},
	{"REDOX_PROFILE", "set of sources: empty (upstream) or seed"},
	{"REDOX_OFFLINE", "1 forbids the network"},
	{"REDOX_JOBS", "processes at once (default: the number of processors)"},
	{"REDOX_MEMORY", "memory for steps that run at once, in MiB (default: three quarters of the machine's)"},
	{"REDOX_KEEP_GOING", "1 builds on after a failure and lists all of them"},
	{"REDOX_BACKEND", "backends over the recipes' own, like llvm:init,cranelift:*"},
	{"REDOX_STD", "standard library over the recipes' own: shared (prepared once) or build-std (by every cargo)"},
	{"REDOX_OVERRIDES", "overrides file (default: overrides.toml in the checkout)"},
}

// Known tells whether a variable is understood.
func Known(name string) bool {
	return strings.HasPrefix(name, SourcePrefix) || slices.ContainsFunc(variables, func(v Variable) bool { return v.Name == name })
}

// Variables are all that are understood.
func Variables() []Variable {
	return append(slices.Clone(variables), Variable{SourcePrefix + "<NAME>", "a folder to take in place of the source of recipe NAME (upper case, - and . as _)"})
}

// Help lists the variables, one line each.
func Help() string {
	var b strings.Builder
	for _, v := range Variables() {
		fmt.Fprintf(&b, "  %-18s %s\n", v.Name, v.Help)
	}
	return b.String()
}
