package builder

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
)

// StdMode says where the standard library of cargo steps comes from.
type StdMode string

const (
	// StdAsRecipe leaves it to each step.
	StdAsRecipe StdMode = ""
	// StdShared is the library that is prepared once for all steps.
	StdShared StdMode = "shared"
	// StdBuild has every cargo build it in its own target folder, by -Zbuild-std.
	StdBuild StdMode = "build-std"
)

// ParseStdMode reads the user's word.
func ParseStdMode(text string) (StdMode, error) {
	switch m := StdMode(text); m {
	case StdAsRecipe, StdShared, StdBuild:
		return m, nil
	}
	return "", fmt.Errorf("std is %q, not %s or %s", text, StdShared, StdBuild)
}

// buildsStd tells whether a cargo step builds the standard library itself. It is the way out for a program that
// the prepared one does not fit (other flags, a std with features); it costs the build of std for every step, and cargo
// hashes the build scripts of a library with patched crates by their path, so that the bytes depend on where the cache is.
func (b *Builder) buildsStd(s *recipe.Step) bool {
	if s.Target == recipe.TargetHost || s.StdOrDefault() == recipe.StdNone {
		return false
	}
	return b.o.Std == StdBuild || b.o.Std == StdAsRecipe && s.BuildStd
}

// buildStdFlags are what cargo is told to build, by the recipe's word for it; see stdPackages.
var buildStdFlags = map[recipe.Std][]string{
	recipe.StdFull: {"-Zbuild-std=core,alloc,std,panic_abort", "-Zbuild-std-features=compiler-builtins-mem"},
	recipe.StdCore: {"-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"},
}

// Cargo takes the sources of -Zbuild-std from the toolchain, whose libc is the registry's, without our patches. So a step
// gets sources of its own, with the patched crates in them, and cargo is told by the variable that its own tests use.
// Cargos from 1.94 on know it; checkOwnStd notices one that does not. They lie in what is the sysroot to rustc, as
// they do in a toolchain: cargo hashes the library's crates by their path from there on, all but those with build scripts.
// What has no crate of ours in it (core) is built from the toolchain's.

const (
	// ownStd is where an exec root has the sources.
	ownStd = "%{root}/std/" + prepare.InSysroot
	// ownStdVariable names library/ to cargo.
	ownStdVariable = "__CARGO_TESTS_ONLY_SRC_ROOT"
)

// hasOwnStd tells whether the step builds the library from sources of its own.
func (c *cargoRun) hasOwnStd() bool { return c.std != nil && c.t.b.buildsStd(c.t.s) }

// shared are the inputs that the step has in common with others. Sources are not: cargo runs rustc in their
// folder, whose path by a link is another that no prefix to be replaced would fit.
func (c *cargoRun) shared() []string {
	if c.hasOwnStd() {
		return []string{"sysroot"}
	}
	return readOnly
}

// stdSource is the node of the sources that a step builds its standard library from; nil for the toolchain's.
func (b *Builder) stdSource(kind recipe.TargetKind, set recipe.Std) (*graph.Node, error) {
	if !hasPatchedCrates(kind, set) {
		return nil, nil
	}
	on, err := b.stdPlatforms()
	if err != nil {
		return nil, err
	}
	return b.sources.StdSource(on)
}

// checkOwnStd makes sure that the library that cargo built is the step's own: what a crate was compiled from
// is in the file that rustc leaves beside it.
func checkOwnStd(release string) error {
	found, err := cratesIn(release, "core-*.d")
	if err != nil {
		return err
	}
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte("/std/"+prepare.InSysroot+"/library/core/src/")) {
			return nil
		}
	}
	return errors.New("this cargo built the standard library of the toolchain, which lacks our patches: it does not know " + ownStdVariable)
}
