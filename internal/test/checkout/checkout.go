// Package checkout makes small checkouts for tests that use the compiled targets as a user does.
//
// It owns what of a checkout the targets read. It must not know what a test does there.
package checkout

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the real checkout, seen from a package of tests.
const root = "../../.."

// folders are what the compiled targets read of a checkout.
var folders = []string{"recipes", "targets", "toolchain", "patches", "images"}

// Compile makes one binary of all targets, and beside it front, the tool that runs them, and typed, which reads a command line for the binary; running `go tool mage` for each command would
// compile each time.
func Compile(t testing.TB) string {
	t.Helper()
	bin := t.TempDir()
	mage := filepath.Join(bin, "mage")
	for _, args := range [][]string{{"tool", "mage", "-compile", mage}, {"build", "-o", filepath.Join(bin, "front"), "./internal/tool/targets"},
		{"build", "-o", filepath.Join(bin, "typed"), "./internal/test/checkout/typed"}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return mage
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

// Install makes the compiled targets and the tool programs in the folder bin: mage and front.
func Install(mage, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	return errors.Join(os.Symlink(mage, filepath.Join(bin, "mage")), os.Symlink(filepath.Join(filepath.Dir(mage), "front"), filepath.Join(bin, "front")))
}

// InstallTyped makes the compiled targets the program mage in the folder bin, for lines as people type them.
func InstallTyped(mage, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	typed := filepath.Join(filepath.Dir(mage), "typed")
	return errors.Join(os.Symlink(mage, filepath.Join(bin, "targets")), os.Link(typed, filepath.Join(bin, "mage")))
}
