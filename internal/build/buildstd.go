package build

import (
	"fmt"

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
// the prepared one does not fit (other flags, a std with features); it costs the build of std for every step,
// and cargo hashes the crates of rust-src by their path, so that the bytes depend on where the
// toolchain is.
func (b *Builder) buildsStd(s *recipe.Step) bool {
	if s.Kind != "cargo" || s.Target == "host" || s.StdOrDefault() == "none" {
		return false
	}
	return b.Std == StdBuild || b.Std == StdAsRecipe && s.BuildStd
}

// buildStdFlags are what cargo is told to build, by the recipe's word for it; see stdPackages.
var buildStdFlags = map[string][]string{
	"std":  {"-Zbuild-std=core,alloc,std,panic_abort", "-Zbuild-std-features=compiler-builtins-mem"},
	"core": {"-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"},
}
