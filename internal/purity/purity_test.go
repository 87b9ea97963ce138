package purity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
)

func TestUses(t *testing.T) {
	files := []File{
		{Path: "bin/a", Size: 700, Backend: "cranelift", Sysroot: "sysroot"},
		{Path: "bin/b", Size: 200, Backend: "llvm", Reason: "no soft float", Sysroot: "sysroot"},
		{Path: "bin/c", Size: 100, Backend: "llvm?", Linked: []string{"llvm", "gcc"}},
		{Path: "bin/d", Size: 0, Backend: "cranelift", C: true, Linked: []string{"clang"}, Sysroot: "unknown"},
		{Path: "etc/init.rc", Size: 5000},
	}
	var got []string
	for _, u := range uses(files, map[string][]string{"sysroot": {"relibc/relibc by LLVM: variadic"}}) {
		got = append(got, u.What+": "+strings.Join(u.Files, ", "))
	}
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
	if diff := cmp.Diff(manifest.Purity{Cranelift: 700, Compiled: 1000, Percent: 70}, share(files)); diff != "" {
		t.Error(diff)
	}
}

// 100 % is said only of all: it is rounded down.
func TestPurityIsRoundedDown(t *testing.T) {
	if p := share([]File{{Size: 1, Backend: "llvm"}, {Size: 999_999, Backend: "cranelift"}}); p.Percent != 99.9 {
		t.Error(p)
	}
}

// What only the manifest knows is shown all the same.
func TestAnOverriddenSourceIsShown(t *testing.T) {
	n := &initfs.Node{Kind: initfs.File, Content: initfs.Bytes([]byte("text"))}
	record := manifest.File{Backend: "cranelift", Source: "https://h/x at 1"}
	if got := FileOf("bin/a", n, record).Source; got != "https://h/x at 1" {
		t.Errorf("locked: %q", got)
	}
	record.Overridden = true
	if got := FileOf("bin/a", n, record).Source; got != "https://h/x at 1, overridden" {
		t.Errorf("overridden: %q", got)
	}
}
