// Package redoxfstest finds redoxfs-tool for tests.
//
// It owns where a test looks. It must not build anything: a Rust program takes longer than all tests.
package redoxfstest

import (
	"os"
	"path/filepath"
	"testing"
)

// EnvTool names the tool for tests.
const EnvTool = "REDOXFS_TOOL"

// Tool returns the tool's path: REDOXFS_TOOL, or what `mage recipe:build redoxfs-tool` has left in the checkout. Without
// either the test is skipped.
func Tool(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(EnvTool); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found, _ := filepath.Glob(filepath.Join(dir, "out", "*", "redoxfs-tool", "root", "bin", "redoxfs-tool"))
		if len(found) > 0 {
			return found[0]
		}
	}
	t.Skipf("no redoxfs-tool: `mage recipe:build redoxfs-tool` builds it, or name one by %s", EnvTool)
	return ""
}
