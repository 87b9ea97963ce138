package rustbuild

import (
	"path/filepath"
	"testing"
)

// Cargo trusts the checksum of a vendored package: a patched one has to be forgotten, and nothing else.
func TestPatchedVendoredCratesAreForgotten(t *testing.T) {
	k := newKit(t)
	k.extractAndPatch()
	at := func(crate string) string {
		return filepath.Join(k.build.Source(), "build", "host", "stage1-codegen", "host", "release", ".fingerprint", crate, "lib")
	}
	const same, stale, other, longer = "cranelift-codegen-ffffffffffffffff", "cranelift-codegen-0123456789abcdef", "backend-0123456789abcdef", "cranelift-codegen-shared-0123456789abcdef"
	for _, crate := range []string{same, stale, other, longer} {
		k.write(at(crate), "", 0o644)
	}
	if written := k.extractAndPatch(); len(written) > 0 || !exists(at(stale)) {
		t.Fatalf("the same patches wrote %v or made cargo forget", written)
	}
	k.patches() // the vendored file is the archive's again
	k.extractAndPatch()
	for crate, want := range map[string]bool{same: false, stale: false, other: true, longer: true} {
		if exists(at(crate)) != want {
			t.Errorf("%s known: %t", crate, !want)
		}
	}
}
