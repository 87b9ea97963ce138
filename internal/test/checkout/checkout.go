// Package checkout makes small checkouts for tests that use the compiled targets as a user does.
//
// It owns what of a checkout the targets read. It must not know what a test does there.
package checkout

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the real checkout, seen from a package of tests.
const root = "../../.."

// folders are what the compiled targets read of a checkout.
var folders = []string{"recipes", "targets", "toolchain", "patches", "images"}

// Compile makes one binary of all targets; running `go tool mage` for each command would compile each time.
func Compile(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "mage")
	cmd := exec.Command("go", "tool", "mage", "-compile", bin)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling the targets: %v\n%s", err, out)
	}
	return bin
}

// Copy makes a checkout in the folder dir, with more folders if a test wants them.
func Copy(dir string, more ...string) error {
	for _, folder := range append(folders, more...) {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			return err
		}
	}
	return nil
}

// Install makes the compiled targets a program called mage in the folder bin.
func Install(mage, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	return os.Symlink(mage, filepath.Join(bin, "mage"))
}
