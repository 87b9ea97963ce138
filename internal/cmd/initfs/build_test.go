package initfs

import (
	"testing"

	"github.com/pannous/redox-clif/internal/manifest"
)

// A share that is nearly all is not 100 %: beside a purity of 99.3 % that would be a riddle.
func TestSharesAreRoundedDown(t *testing.T) {
	for want, bytes := range map[string]map[string]int64{
		"":                            {},
		"cranelift 1.0 MiB (100.0 %)": {"cranelift": 1 << 20},
		"cranelift 1023.0 KiB (99.9 %), llvm 1.0 KiB (0.0 %)": {"cranelift": 1023 << 10, "llvm": 1 << 10},
	} {
		if got := backendShares(&manifest.Manifest{Bytes: bytes}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
