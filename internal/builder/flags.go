package builder

import (
	"strings"

	"github.com/pannous/redox-clif/internal/recipe"
)

// remaps make the bytes independent of where anything lies.
func remaps() []string {
	var flags []string
	for _, r := range remapped() {
		flags = append(flags, "--remap-path-prefix="+r.from+"="+r.to)
	}
	return flags
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
	if b.o.Tools.RustcUnstable {
		rustc = []string{"-Zunstable-options"}
	}
	if b.o.Tools.CargoJSON {
		cargo = []string{"-Zjson-target-spec"}
	}
	return rustc, cargo
}

// encodeFlags is the form of CARGO_ENCODED_RUSTFLAGS, which keeps blanks in paths whole.
func encodeFlags(flags []string) string { return strings.Join(flags, "\x1f") }
