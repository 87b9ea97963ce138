// Package wants is what some tests need besides Go, and how they say so: a test that is skipped names the variable that turns it
// on.
//
// It owns the list of these variables, which docs/testing.md shows. It must not know what the tests do.
package wants

import (
	"os"
	"strings"
	"testing"
)

// Variable turns tests on.
type Variable struct {
	Name  string
	Value string // what to set it to
	// Runs says what runs then.
	Runs string
}

// The variables, by what they are for.
var (
	E2E            = Variable{"REDOX_TEST_E2E", "1", "builds from end to end with the pinned toolchain, the scripts in testdata/script that compile, and the comparison with the package tools of the crate registry"}
	Cranelift      = Variable{"REDOX_TEST_CRANELIFT", "DIR", "the same with a toolchain that has LLVM and Cranelift, and the two compared"}
	ToolchainBuild = Variable{"REDOX_TEST_TOOLCHAIN_BUILD", "1", "toolchain:build as its user calls it: half an hour, 6 GB"}
	Guest          = Variable{"REDOX_TEST_GUEST", "1", "the pages that end in the real system: built from git hosts, or from the mirrors of REDOX_OVERRIDES, and booted; half an hour the first time"}
	Repro          = Variable{"REDOX_TEST_REPRO", "1", "repro of the demo in the end-to-end tests, built twice from nothing"}
	Seed           = Variable{"REDOX_TEST_SEED", "DIR", "the end-to-end tests begin with this cache in place of an empty one"}
	Cache          = Variable{"REDOX_TEST_CACHE", "DIR", "tests that build tools of others keep them here"}
	CargoHome      = Variable{"REDOX_TEST_CARGO_HOME", "DIR", "a crate is downloaded by a cargo whose registry can be reached"}
	Pin            = Variable{"REDOX_TEST_PIN", "DIR", "what a real toolchain says of itself and can do"}
	Rustc194       = Variable{"REDOX_TEST_RUSTC_194", "FILE", "rustc 1.94 reads the target specs that are generated for it"}
	Rustc196       = Variable{"REDOX_TEST_RUSTC_196", "FILE", "rustc 1.96 reads the target specs that are generated for it"}
	Ion            = Variable{"REDOX_TEST_ION", "FILE", "ion for this machine (mage recipe:build ion-host): its prompts and the terminal as it leaves it"}
	IonSource      = Variable{"REDOX_SOURCE_ION", "DIR", "our calculator in a checkout of ion"}
	RedoxfsSource  = Variable{"REDOX_SOURCE_REDOXFS", "DIR", "the flush chain in a checkout of redoxfs, with a disk that loses everything in a power failure"}
	RedoxfsTool    = Variable{"REDOX_TEST_REDOXFS_TOOL", "FILE", "tests of disk images, when mage recipe:build redoxfs-tool has left no tool in out/"}
	RedoxfsHost    = Variable{"REDOX_TEST_REDOXFS_HOST", "DIR", "comparison with upstream's programs, when mage recipe:build redoxfs-host has left none in out/"}
	LargeImage     = Variable{"REDOX_TEST_LARGE_IMAGE", "1", "a disk image of 3 GiB"}
	Damage         = Variable{"REDOX_TEST_DAMAGE", "all", "every damage to every file of a small cache, in place of a sample"}
	Browser        = Variable{"REDOX_TEST_BROWSER", "FILE", "the page of a report in a headless Chromium"}
	Screenshots    = Variable{"REDOX_TEST_SCREENSHOTS", "DIR", "pictures of that page are left here"}
	BuildBox       = Variable{"REDOX_TEST_BUILDBOX", "DIR", "a remote cache and a worker: the folder has buildbox-casd, buildbox-run and buildbox-fuse"}
	BuildGrid      = Variable{"REDOX_TEST_BUILDGRID", "DIR", "a remote cache with certificates and tokens: the folder has bgd of BuildGrid 0.4 (`pip install buildgrid` in a virtual environment)"}
	Farm           = Variable{"REDOX_TEST_FARM", "1", "a thousand steps on a hundred simulated workers: two minutes, hardly any work"}
	Kills          = Variable{"REDOX_TEST_KILLS", "N", "how often the end-to-end tests kill a build (50)"}
)

// All lists the variables in the order of the page.
func All() []Variable {
	return []Variable{
		E2E, Cranelift, Guest, ToolchainBuild, Repro, Seed, Cache, CargoHome, Pin, Rustc194, Rustc196, Ion, IonSource, RedoxfsSource, RedoxfsTool, RedoxfsHost,
		LargeImage, Damage, Browser, Screenshots, BuildBox, BuildGrid, Farm, Kills,
	}
}

// Given is the variable's value, "" when it is not set.
func (v Variable) Given() string { return os.Getenv(v.Name) }

// On is the value of a variable that a test needs. Without it the test is skipped, and says what to set.
func (v Variable) On(t testing.TB) string {
	t.Helper()
	value := v.Given()
	if value == "" || v.Value == "1" && value != "1" {
		t.Skipf("%s=%s runs this: %s", v.Name, v.Value, v.Runs)
	}
	return value
}

// Table is the list in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | what runs |\n|---|---|\n")
	for _, v := range All() {
		b.WriteString("| `" + v.Name + "=" + v.Value + "` | " + v.Runs + " |\n")
	}
	return b.String()
}
