package initfs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/manifest"
)

func TestImpurities(t *testing.T) {
	rows := []purityRow{
		{path: "bin/a", size: 700, backend: "cranelift", sysroot: "sysroot"},
		{path: "bin/b", size: 200, backend: "llvm", reason: "no soft float", sysroot: "sysroot"},
		{path: "bin/c", size: 100, backend: "llvm?", linked: []string{"llvm", "gcc"}},
		{path: "bin/d", size: 0, backend: "cranelift", c: "C code of its crates, by clang", linked: []string{"clang"}, sysroot: "unknown"},
		{path: "etc/init.rc", size: 5000},
	}
	got := impurities(rows, map[string][]string{"sysroot": {"relibc/relibc by LLVM: variadic"}})
	want := []string{
		"C code of its crates, by clang: bin/d",
		"assembly in the crates (core, compiler_builtins, system calls) is assembled by LLVM: bin/a, bin/d",
		"compiled by LLVM, for a reason that the image does not tell: bin/c",
		"compiled by LLVM: no soft float: bin/b",
		"linked with relibc/relibc by LLVM: variadic: bin/a, bin/b",
		"linked with the C library of recipe unknown: bin/d",
		"objects by gcc are linked in: bin/c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&manifest.Purity{Cranelift: 700, Compiled: 1000, Percent: 70}, purityOfRows(rows)); diff != "" {
		t.Error(diff)
	}
}

// 100 % is said only of all: it is rounded down.
func TestPurityIsRoundedDown(t *testing.T) {
	rows := []purityRow{{size: 1, backend: "llvm"}, {size: 999_999, backend: "cranelift"}}
	if text := purityText(purityOfRows(rows)); !strings.HasPrefix(text, "99.9 %") {
		t.Error(text)
	}
}
