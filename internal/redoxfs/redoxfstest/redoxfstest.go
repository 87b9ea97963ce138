// Package redoxfstest finds redoxfs-tool for tests.
//
// It owns where a test looks. It must not build anything: a Rust program takes longer than all tests.
package redoxfstest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/test/wants"
)

// Tool returns the tool's path: wants.RedoxfsTool, or what `mage recipe:build redoxfs-tool` has left in the checkout. Without
// either the test is skipped.
func Tool(t testing.TB) string {
	t.Helper()
	if path := staged(t, "redoxfs-tool", "redoxfs-tool"); path != "" && wants.RedoxfsTool.Given() == "" {
		return path
	}
	return wants.RedoxfsTool.On(t)
}

// Upstream returns the path of a program of the crate redoxfs: in wants.RedoxfsHost, or what `mage recipe:build redoxfs-host` has left in
// the checkout. Without either the test is skipped.
func Upstream(t testing.TB, program string) string {
	t.Helper()
	if path := staged(t, "redoxfs-host", program); path != "" && wants.RedoxfsHost.Given() == "" {
		return path
	}
	return filepath.Join(wants.RedoxfsHost.On(t), program)
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
