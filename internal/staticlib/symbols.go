package staticlib

import (
	"regexp"
	"slices"
	"strings"
)

// Prefix is put before every symbol of relibc that must not meet a program's own.
const Prefix = "__relibc_"

// allocatorSymbols are the names under which a compiler before the mangled allocator shims (2025-04)
// called the global allocator. They are renamed whether they occur or not.
var allocatorSymbols = []string{
	"__rdl_oom",
	"__rg_alloc",
	"__rg_alloc_zeroed",
	"__rg_dealloc",
	"__rg_oom",
	"__rg_realloc",
	"__rust_alloc",
	"__rust_alloc_error_handler",
	"__rust_alloc_error_handler_should_panic",
	"__rust_alloc_zeroed",
	"__rust_dealloc",
	"__rust_no_alloc_shim_is_unstable",
	"__rust_realloc",
}

// floatFunctions are the C math functions compiler_builtins defines on every platform, each with an f
// variant for float (rust#142119). The copies in libc.a would stand in the way of a real libm and of the
// program's own compiler_builtins. relibc's script strips them; a function that the archive itself
// calls cannot go, and under another name those calls still find it.
var floatFunctions = []string{
	"cbrt", "ceil", "copysign", "fabs", "fdim", "floor", "fma",
	"fmax", "fmin", "fmod", "rint", "round", "sqrt", "trunc",
}

// runtimeSymbols are the labels of redox-rt's assembly. A program that uses redox-rt as well has a copy of its own, with
// state that nobody has set up: were these shared, relibc's fork would run into the program's copy and panic there.
var runtimeSymbols = []string{
	"__relibc_internal_fork_ret",
	"__relibc_internal_fork_wrapper",
	"__relibc_internal_rlct_clone_ret",
	"__relibc_internal_sigentry",
}

// rustSymbol matches what only rustc can have named: v0 mangling (_R, an optional version, then the tag of
// a path), legacy mangling (_ZN … 17h, 16 hex digits, E) and the constants LLVM made global to share
// them between codegen units. LLVM may append a suffix such as .llvm.123 to any of them.
var rustSymbol = regexp.MustCompile(`^(_R[0-9]*[BCIMNXY]|_ZN.*17h[0-9a-f]{16}E|anon\.[0-9a-f]{32}\.)`)

// IsRust says whether a symbol's name was made by rustc, as opposed to a name somebody wrote with no_mangle.
func IsRust(symbol string) bool { return rustSymbol.MatchString(symbol) }

// Renames returns the symbols to be renamed out of those an archive defines: every Rust symbol, which takes
// in core, alloc and the mangled allocator shims (7___rustc), the float functions, and the unmangled
// allocator symbols and the labels of redox-rt. Not only core and alloc: any other crate of relibc may be in the program
// as well.
// A float function the archive only calls keeps its name: someone else has to define it. Sorted.
func Renames(defined []string) []string {
	renamed := slices.Clone(allocatorSymbols)
	for _, s := range defined {
		if IsRust(s) || isFloatFunction(s) || slices.Contains(runtimeSymbols, s) {
			renamed = append(renamed, s)
		}
	}
	slices.Sort(renamed)
	return slices.Compact(renamed)
}

func isFloatFunction(symbol string) bool {
	return slices.Contains(floatFunctions, symbol) || slices.Contains(floatFunctions, strings.TrimSuffix(symbol, "f"))
}
