// Package redoxfstest finds redoxfs-tool for tests.
//
// It owns where a test looks. It must not build anything: a Rust program takes longer than all tests.
package redoxfstest

import (
	"os"
	"path/filepath"
	"testing"
)

// EnvTool names the tool for tests, EnvUpstream a folder with upstream's programs.
const (
	EnvTool     = "REDOXFS_TOOL"
	EnvUpstream = "REDOXFS_UPSTREAM"
)

// Tool returns the tool's path: REDOXFS_TOOL, or what `mage recipe:build redoxfs-tool` has left in the checkout. Without
// either the test is skipped.
func Tool(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(EnvTool); path != "" {
		return path
	}
	if path := staged(t, "redoxfs-tool", "redoxfs-tool"); path != "" {
		return path
	}
	t.Skipf("no redoxfs-tool: `mage recipe:build redoxfs-tool` builds it, or name one by %s", EnvTool)
	return ""
}

// Upstream returns the path of a program of the crate redoxfs: in REDOXFS_UPSTREAM, or what `mage recipe:build redoxfs-host` has left in
// the checkout. Without either the test is skipped.
func Upstream(t testing.TB, program string) string {
	t.Helper()
	if dir := os.Getenv(EnvUpstream); dir != "" {
		return filepath.Join(dir, program)
	}
	if path := staged(t, "redoxfs-host", program); path != "" {
		return path
	}
	t.Skipf("no %s of upstream: `mage recipe:build redoxfs-host` builds it, or name a folder by %s", program, EnvUpstream)
	return ""
}

// staged finds a program of a recipe in the out/ of the checkout that the test is part of, "" if it is not there.
func staged(t testing.TB, recipe, program string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found, _ := filepath.Glob(filepath.Join(dir, "out", "*", recipe, "root", "bin", program))
		if len(found) > 0 {
			return found[0]
		}
	}
	return ""
}
