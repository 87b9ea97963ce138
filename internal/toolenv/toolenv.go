// Package toolenv is what the tools of the toolchain find around them: the environment that a build gives them, and
// the words by which an action names what is not below its exec root.
//
// It owns the policy, with the reason for each variable. It must not know which step runs what, nor where anything lies
// on this machine.
package toolenv

import (
	"path/filepath"
	"runtime"
)

// Words for what is not below an exec root. The toolchain's identity is in every digest that uses one of
// them, so their values need not be.
const (
	Rustc     = "%{rustc}"
	Cargo     = "%{cargo}"
	LLD       = "%{rust-lld}"
	Ar        = "%{llvm-ar}"
	Clang     = "%{clang}"
	RustSrc   = "%{rust-src}"      // the folder that has library/
	BinDir    = "%{toolchain-bin}" // of rustc and cargo
	CargoHome = "%{cargo-home}"
)

// OwnCargoHome is cargo's home where it downloads nothing: it notes there what it used, and finds nothing of the user's.
const OwnCargoHome = "%{root}/home/.cargo"

// ForTools is the environment of every tool: this and nothing of the user's. The reasons:
//
//	PATH           the toolchain, and the system's folders for the C compiler that links host build scripts, see [systemPath]
//	HOME           no dot files
//	LC_ALL, TZ     messages and dates are the same everywhere
//	SOURCE_DATE_EPOCH  whatever stamps a date stamps this one
func ForTools() map[string]string {
	return map[string]string{
		"PATH":              BinDir + ":" + systemPath(runtime.GOOS),
		"HOME":              "%{root}/home",
		"LC_ALL":            "C",
		"TZ":                "UTC",
		"SOURCE_DATE_EPOCH": "0",
	}
}

// SystemFolders is where tools look for programs of this system, in order. Whatever a user's PATH has besides, they do not see.
func SystemFolders() []string { return filepath.SplitList(systemPath(runtime.GOOS)) }

// nixPath is where Nix has the programs of a system, and of whoever uses it on another: NixOS has next to nothing in /usr/bin.
const nixPath = "/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin"

// systemPath is where a system has programs. On macOS Apple's own come first (cc, which finds the SDK), and what Apple does not bring
// is where package managers put it: Homebrew (on Arm, then on Intel), MacPorts, Nix.
func systemPath(goos string) string {
	if goos == "darwin" {
		return "/usr/bin:/bin:/opt/homebrew/bin:/usr/local/bin:/opt/local/bin:" + nixPath
	}
	return "/usr/local/bin:/usr/bin:/bin:" + nixPath
}

// CargoRoot is the variable that ends cargo's search upwards at a folder, which must be written without links on the way.
// Cargo looks for .cargo/config.toml, and for the workspace that a package belongs to, in the folder it is started in and in
// all above, "/" included, which is the home folder in many a container; no option turns that off. The variable was made
// for cargo's own tests: one of ours tells when a cargo does not know it any more.
const CargoRoot = "__CARGO_TEST_ROOT"

// ForCargo adds cargo's. The reasons:
//
//	__CARGO_TEST_ROOT      nothing above the exec root is read, see [CargoRoot]
//	CARGO_INCREMENTAL=0    incremental code is laid out by history, not by the source
//	RUSTC_WRAPPER          sccache and its like break external backends
//	..._LTO=off            Cranelift has none; a manifest's "fat" must not decide
//	RUSTC_ICE=0            a compiler crash writes no report into the source
//	RUSTC                  this very compiler: a rust-toolchain file in a source has no say
func ForCargo() map[string]string {
	env := ForTools()
	for name, value := range map[string]string{
		CargoRoot:                     "%{root}",
		"CARGO":                       Cargo,
		"CARGO_HOME":                  CargoHome,
		"CARGO_INCREMENTAL":           "0",
		"CARGO_PROFILE_RELEASE_LTO":   "off",
		"CARGO_PROFILE_RELEASE_DEBUG": "false",
		"CARGO_TARGET_DIR":            "%{root}/target",
		"CARGO_TERM_COLOR":            "never",
		"CARGO_TERM_PROGRESS_WHEN":    "never",
		"RUSTC":                       Rustc,
		"RUSTC_ICE":                   "0",
		"RUSTC_WRAPPER":               "",
		"RUSTC_WORKSPACE_WRAPPER":     "",
		"RUSTUP_AUTO_INSTALL":         "0",
	} {
		env[name] = value
	}
	return env
}
