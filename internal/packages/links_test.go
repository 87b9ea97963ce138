package packages

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// In a system an absolute link begins at its root: what has /lib for a name of /usr/lib has the libraries there, and they go
// with the package that brought them.
func TestLinksOfASystemBeginAtItsRoot(t *testing.T) {
	for _, target := range []string{"usr/lib", "/usr/lib", "/usr/../usr/lib/."} {
		root := t.TempDir()
		sessiontest.WriteFile(t, filepath.Join(root, "usr/lib/libc.so"), "x", 0o644)
		sessiontest.WriteFile(t, filepath.Join(root, "usr/etc", filepath.Base(pkgrepo.StateFile)), "", 0o644)
		if err := os.Symlink(target, filepath.Join(root, "lib")); err != nil {
			t.Fatal(err)
		}
		sys := &System{Name: "system", Root: root}
		have, err := sys.Libraries(nil)
		if err != nil || !have("libc.so") {
			t.Errorf("lib -> %s: %v", target, err)
		}
		r, err := sys.open()
		if err != nil {
			t.Fatal(err)
		}
		if there := staying(r, map[string]bool{"usr/lib/libc.so": true}); there["libc.so"] {
			t.Errorf("lib -> %s: the library stays without its package", target)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Generated systems with links to folders of the host: nothing of these counts.
func TestNothingOutsideOfASystemCounts(t *testing.T) {
	outside := t.TempDir()
	for _, dir := range []string{"", "lib", "usr/lib", "a", "b", "a/b", "c"} {
		sessiontest.WriteFile(t, filepath.Join(outside, dir, "leak.so"), "x", 0o644)
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		system := symlinktest.Generate(r, true)
		root := t.TempDir()
		system.Lead(outside)
		if err := system.Make(root); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"lib", "usr", "etc", "var"} {
			targets := []string{outside, "a", "b/c", "a/b", "../" + strings.TrimPrefix(outside, "/"), "/a", "a/../.."}
			if err := os.Symlink(targets[r.IntN(len(targets))], filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
		sys := &System{Name: "system", Root: root}
		_, _ = sys.State() // may well fail
		if have, err := sys.Libraries(nil); err == nil && have("leak.so") {
			t.Errorf("seed %d: a library of the host counts in %v", seed, system)
		}
	}
}
