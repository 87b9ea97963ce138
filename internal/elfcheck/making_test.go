package elfcheck

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMakingRoundTrip(t *testing.T) {
	for _, m := range []Making{
		{Backend: "cranelift", Compiler: "rustc 1.96.0", Recipe: "base", Source: "https://x.org/a.git at 12=34", Patches: []string{"a", "b"}, Sysroot: "sysroot"},
		{Backend: "llvm", C: true},
	} {
		encoded := m.Note().Encode()
		if len(encoded)%4 != 0 || len(encoded) < 12 {
			t.Errorf("%d bytes are no note", len(encoded))
		}
		got, ok := Provenance{Notes: parseNotes(encoded)}.Making()
		if diff := cmp.Diff(m, got); !ok || diff != "" {
			t.Errorf("%v %s", ok, diff)
		}
	}
	other := Note{Name: "redox-clif", Type: 2}
	if _, ok := (Provenance{Notes: []Note{{Name: "GNU", Type: 3}}}).Making(); ok {
		t.Error("somebody else's note was taken for ours")
	}
	if _, ok := (Provenance{Notes: []Note{other}}).Making(); ok {
		t.Error("a note of another format was read")
	}
}

func TestCompilers(t *testing.T) {
	p := Provenance{Comments: []string{
		"Linker: LLD 22.1.8", "rustc version 1.96.0-nightly with cranelift 0.130.0", "rustc version 1.96.0-nightly", "Ubuntu clang version 22.1",
	}}
	if diff := cmp.Diff([]string{"cranelift", "llvm", "clang"}, p.Compilers()); diff != "" {
		t.Error(diff)
	}
	if got := (Provenance{Comments: []string{"Linker: LLD 21"}}).Compilers(); got != nil {
		t.Error(got)
	}
}
