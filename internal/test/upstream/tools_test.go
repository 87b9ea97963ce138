package upstream

import (
	"os"
	"testing"
)

// TestTools: all of them can be built and started, so that what is skipped elsewhere is not skipped for want of a tool.
func TestTools(t *testing.T) {
	for _, name := range []string{"pkgar", "pkgar-keys", "pkgar-0.1", Client} {
		info, err := os.Stat(Path(t, name))
		if err != nil || info.Mode().Perm()&0o100 == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
