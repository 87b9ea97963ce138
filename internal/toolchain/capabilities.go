package toolchain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/targetspec"
)

// Backend is a code generator of rustc.
type Backend string

// The backends this project knows.
const (
	Cranelift Backend = "cranelift"
	LLVM      Backend = "llvm"
)

// Feature is something a backend may or may not be able to do for our target.
type Feature string

// The features that are probed. Each is a tiny program in the folder probes.
const (
	Present   Feature = "present"             // compiles an empty function at all
	Asm       Feature = "asm"                 // asm! and global_asm! for a JSON target
	Sym       Feature = "sym-operands"        // sym operands of asm! in functions
	SymGlobal Feature = "sym-operands-global" // sym operands of global_asm! naming a private function
	F128      Feature = "f128-compare"        // comparing f128 beside compiler_builtins' own definitions
	Variadic  Feature = "variadic-definition" // defining extern "C" fn f(n: i32, ...)
	AsmObject Feature = "asm-object"          // --emit obj of a crate with asm is one object that has it
)

// Features lists them in the order they are shown.
func Features() []Feature { return []Feature{Present, Asm, AsmObject, Sym, SymGlobal, F128, Variadic} }

// Result is the outcome of one probe.
type Result struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // the first error line when not OK
}

// Capabilities is what was measured of a toolchain for one target. It is data:
// the same toolchain and target give the same bytes of JSON, and Digest goes
// into the digest of every action that runs the compiler.
type Capabilities struct {
	Identity string  `json:"identity"` // Identity.Digest of the toolchain
	Triple   string  `json:"triple"`   // the target the backends were probed for
	Version  Version `json:"version"`

	// RustcUnstableForJSON: rustc takes a JSON target only with
	// -Zunstable-options.
	RustcUnstableForJSON bool `json:"rustc-unstable-for-json-target"`
	// CargoJSONTargetSpec: cargo has -Zjson-target-spec and takes a JSON target
	// only with it.
	CargoJSONTargetSpec bool `json:"cargo-json-target-spec"`
	// NoF16F128: compiler_builtins has the feature no-f16-f128.
	NoF16F128 bool `json:"no-f16-f128"`
	// PointerWidthString and SoftFloatABI are targetspec.Compiler's.
	PointerWidthString bool              `json:"pointer-width-string"`
	SoftFloatABI       map[string]string `json:"rustc-abi-softfloat"`
	// NoWeakLinkage is targetspec.Compiler's too. It is left out where it does not hold: digests of older compilers stay as they are.
	NoWeakLinkage bool `json:"no-allows-weak-linkage,omitempty"`

	Backends map[Backend]map[Feature]Result `json:"backends"`
}

// Compiler is what package targetspec has to know.
func (c *Capabilities) Compiler() targetspec.Compiler {
	return targetspec.Compiler{
		Release: c.Version.Release, PointerWidthString: c.PointerWidthString, SoftFloatABI: c.SoftFloatABI,
		NoWeakLinkage: c.NoWeakLinkage,
	}
}

// RustcTargetFlags are the rustc flags that a JSON target needs.
func (c *Capabilities) RustcTargetFlags() []string {
	if c.RustcUnstableForJSON {
		return []string{"-Zunstable-options"}
	}
	return nil
}

// CargoTargetFlags are the cargo flags that a JSON target needs.
func (c *Capabilities) CargoTargetFlags() []string {
	if c.CargoJSONTargetSpec {
		return []string{"-Zjson-target-spec"}
	}
	return nil
}

// Digest is the SHA-256 of the capabilities, in hexadecimal. The compiler's own words are no part of it: they may name a folder of this
// machine, and would split a cache that machines share.
func (c *Capabilities) Digest() string {
	silent := *c
	silent.Backends = map[Backend]map[Feature]Result{}
	for backend, features := range c.Backends {
		silent.Backends[backend] = map[Feature]Result{}
		for feature, result := range features {
			silent.Backends[backend][feature] = Result{OK: result.OK}
		}
	}
	if silent.SoftFloatABI == nil {
		silent.SoftFloatABI = map[string]string{} // a lock file does not tell them apart
	}
	data, err := json.Marshal(silent)
	if err != nil {
		// Strings, bools and maps of them always have a JSON form.
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Can tells whether a backend passed a probe, and why not.
func (c *Capabilities) Can(backend Backend, feature Feature) Result {
	result, probed := c.Backends[backend][feature]
	if !probed {
		return Result{Detail: "not probed"}
	}
	return result
}

// NoBackend means that a backend was asked for which the toolchain lacks.
type NoBackend struct {
	Backend Backend
	Release string // of the rustc that lacks it
	Channel string // the pin's channel for the rustup command; may be empty
	Detail  string // rustc's words
}

// Error says the three ways out.
func (n *NoBackend) Error() string {
	text := fmt.Sprintf("rustc %s has no %s backend", n.Release, n.Backend)
	if n.Detail != "" {
		text += " (" + n.Detail + ")"
	}
	if n.Backend != Cranelift {
		return text
	}
	channel := n.Channel
	if channel == "" {
		channel = "CHANNEL"
	}
	return text + "\nthree ways out:" +
		"\n  1. take a toolchain that has it: REDOX_TOOLCHAIN=DIR, or mage toolchain:build makes one" +
		"\n  2. add the component, where the server offers it: rustup component add rustc-codegen-cranelift-preview --toolchain " + channel +
		"\n  3. compile with LLVM: backend = \"llvm\" with a backend-reason in the recipe"
}

// Backend checks that a requested backend is there: "cranelift" or "llvm". The
// error is a *NoBackend, or says that the name is unknown. Nothing is ever
// replaced silently.
func (c *Capabilities) Backend(requested string) (Backend, error) {
	backend := Backend(requested)
	if backend != Cranelift && backend != LLVM {
		return "", fmt.Errorf("no backend is called %q: there are cranelift and llvm", requested)
	}
	if present := c.Can(backend, Present); !present.OK {
		return "", &NoBackend{Backend: backend, Release: c.Version.Release, Detail: present.Detail}
	}
	return backend, nil
}

// RustcBackendFlags are the rustc flags that choose a backend. LLVM is named
// too: a toolchain may have been built with another default.
func RustcBackendFlags(backend Backend) []string {
	return []string{"-Zcodegen-backend=" + string(backend)}
}

// firstError is the line of a compiler's output that says what went wrong,
// cut to a length that fits a table.
func firstError(output []byte) string {
	const longest = 160
	text := errorLine(strings.Split(string(output), "\n"))
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}

func errorLine(lines []string) string {
	at := slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "error") || strings.Contains(line, " panicked at ") || strings.HasPrefix(line, "rust-lld: error")
	})
	if at < 0 {
		return strings.TrimSpace(lines[0])
	}
	line := strings.TrimSpace(lines[at])
	if strings.Contains(line, " panicked at ") && at+1 < len(lines) {
		return "compiler crash: " + strings.TrimSpace(lines[at+1])
	}
	// "error[E0635]: text" and "error: text" alike.
	if _, text, found := strings.Cut(line, ": "); found && strings.HasPrefix(line, "error") {
		return strings.TrimSuffix(text, ":")
	}
	return line
}
