package builder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/recipe"
)

// Placeholders for what is not below an exec root. The toolchain's identity is in every digest that
// uses one of them, so their values need not be.
const (
	rustcPath   = "%{rustc}"
	cargoPath   = "%{cargo}"
	lldPath     = "%{rust-lld}"
	nmPath      = "%{llvm-nm}"
	objcopyPath = "%{llvm-objcopy}"
	stripPath   = "%{llvm-strip}"
	arPath      = "%{llvm-ar}"
	clangPath   = "%{clang}"
	rustSrc     = "%{rust-src}"
	toolBin     = "%{toolchain-bin}"
	cargoHome   = "%{cargo-home}"
)

// Placeholders are the values of the placeholders for a toolchain.
func Placeholders(t Tools, home string) map[string]string {
	return map[string]string{
		rustcPath: t.Rustc, cargoPath: t.Cargo, lldPath: t.LLD, nmPath: t.NM, objcopyPath: t.Objcopy,
		stripPath: t.Strip, arPath: t.Archive, clangPath: t.Clang.Path, rustSrc: t.RustSrc, toolBin: t.BinDir, cargoHome: home,
	}
}

// toolEnv is the environment of every tool: this and nothing of the user's. The reasons:
//
//	PATH           the toolchain, and the system's folders for the C compiler that links host build scripts
//	HOME           no dot files
//	LC_ALL, TZ     messages and dates are the same everywhere
//	SOURCE_DATE_EPOCH  whatever stamps a date stamps this one
func toolEnv() map[string]string {
	return map[string]string{
		"PATH":              toolBin + ":/usr/local/bin:/usr/bin:/bin",
		"HOME":              "%{root}/home",
		"LC_ALL":            "C",
		"TZ":                "UTC",
		"SOURCE_DATE_EPOCH": "0",
	}
}

// cargoEnv adds cargo's. The reasons:
//
//	CARGO_INCREMENTAL=0    incremental code is laid out by history, not by the source
//	RUSTC_WRAPPER          sccache and its like break external backends
//	..._LTO=off            Cranelift has none; a manifest's "fat" must not decide
//	RUSTC_ICE=0            a compiler crash writes no report into the source
//	RUSTC                  this very compiler: a rust-toolchain file in a source has no say
func cargoEnv() map[string]string {
	env := toolEnv()
	for name, value := range map[string]string{
		"CARGO":                       cargoPath,
		"CARGO_HOME":                  cargoHome,
		"CARGO_INCREMENTAL":           "0",
		"CARGO_PROFILE_RELEASE_LTO":   "off",
		"CARGO_PROFILE_RELEASE_DEBUG": "false",
		"CARGO_TARGET_DIR":            "%{root}/target",
		"CARGO_TERM_COLOR":            "never",
		"CARGO_TERM_PROGRESS_WHEN":    "never",
		"RUSTC":                       rustcPath,
		"RUSTC_ICE":                   "0",
		"RUSTC_WRAPPER":               "",
		"RUSTC_WORKSPACE_WRAPPER":     "",
		"RUSTUP_AUTO_INSTALL":         "0",
	} {
		env[name] = value
	}
	return env
}

// remaps make the bytes independent of where anything lies.
func remaps() []string {
	return []string{
		"--remap-path-prefix=%{root}=/build",
		"--remap-path-prefix=" + cargoHome + "=/cargo",
		"--remap-path-prefix=" + rustSrc + "=/rustc/std",
	}
}

// backendFlags select the code generator.
func backendFlags(backend recipe.Backend) []string {
	if backend == recipe.Cranelift {
		return []string{"-Zcodegen-backend=cranelift"}
	}
	return nil
}

// sizeFlags make the programs of Cranelift smaller, measured in notes/2026-11-23-size.md. The reasons:
//
//	codegen-units=1     a function that two units use is not compiled twice
//	share-generics      nor one that two crates use; rustc turns it off at opt-level 3 for inlining's sake, which
//	                    Cranelift does not do
//	icf=all             functions of the same code become one; Rust gives functions no identity
func sizeFlags(backend recipe.Backend) []string {
	if backend == recipe.Cranelift {
		return []string{"-Ccodegen-units=1", "-Zshare-generics=yes", "-Clink-arg=--icf=all"}
	}
	return nil
}

// jsonTargetFlags are what rustc and cargo want before they read a JSON spec.
func (b *Builder) jsonTargetFlags() (rustc, cargo []string) {
	if b.Tools.RustcUnstable {
		rustc = []string{"-Zunstable-options"}
	}
	if b.Tools.CargoJSON {
		cargo = []string{"-Zjson-target-spec"}
	}
	return rustc, cargo
}

// encodeFlags is the form of CARGO_ENCODED_RUSTFLAGS, which keeps blanks in paths whole.
func encodeFlags(flags []string) string { return strings.Join(flags, "\x1f") }

// extraCargoEnv may not change what is built: whether cargo may download, from where, and how.
func (b *Builder) extraCargoEnv() []string {
	if b.Offline {
		return []string{"CARGO_NET_OFFLINE=true"}
	}
	env := append([]string{"CARGO_NET_RETRY=3"}, b.NetworkEnv...)
	return append(env, mirrorEnv(b.Overrides.Mirrors())...)
}

// mirrorEnv makes cargo fetch its git dependencies from the user's mirrors: the commits stay those of
// Cargo.lock. Only the git program knows insteadOf from the environment, cargo's own git does not.
func mirrorEnv(mirrors map[string]string) []string {
	if len(mirrors) == 0 {
		return nil
	}
	env := []string{"CARGO_NET_GIT_FETCH_WITH_CLI=true", fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(mirrors))}
	for i, from := range slices.Sorted(maps.Keys(mirrors)) {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=url.%s.insteadOf", i, mirrors[from]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, from))
	}
	return env
}
