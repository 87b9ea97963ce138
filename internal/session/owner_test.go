package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
)

// A cache that others can write to is not opened, and the command that mends it is named.
func TestCacheOfOthers(t *testing.T) {
	checkout, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	for _, dir := range []string{"recipes", "toolchain"} {
		if err := os.MkdirAll(filepath.Join(checkout, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(checkout, "toolchain/toolchain.toml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open := func() error {
		_, err := Open(config.Flags{}, []string{"HOME=" + checkout, "REDOX_CACHE=" + cache}, checkout, false, Streams{})
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{cache, filepath.Join(cache, "cas")} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := open(); err == nil || !strings.Contains(err.Error(), "`chmod go-w "+dir+"`") {
			t.Errorf("%s: %v", dir, err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(); err != nil {
		t.Error(err)
	}
}
