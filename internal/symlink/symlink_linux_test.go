package symlink

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// With the folder for a root, as in the system that the tree is for, the kernel ends where we do: absolute targets included.
func TestTheKernelAgrees(t *testing.T) {
	same := 0
	for seed := range uint64(1000) {
		tree := symlinktest.Generate(rand.New(rand.NewPCG(seed, 1)), true)
		dir := t.TempDir()
		if err := tree.Make(dir); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		top, err := unix.Open(dir, unix.O_PATH, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range tree.Probes() {
			got, err := Resolve(In(root), p)
			if err != nil {
				continue // the kernel stops at the top and goes on
			}
			fd, kernel := unix.Openat2(top, p, &unix.OpenHow{Flags: unix.O_PATH, Resolve: unix.RESOLVE_IN_ROOT})
			if errors.Is(kernel, unix.ENOSYS) {
				t.Skip("this kernel has no openat2")
			}
			if kernel != nil {
				continue // it leads nowhere
			}
			same++
			var want, there unix.Stat_t
			if err := errors.Join(unix.Fstat(fd, &want), unix.Close(fd), unix.Lstat(filepath.Join(dir, got), &there)); err != nil || want.Ino != there.Ino {
				t.Errorf("seed %d: %s ends at %q (%v), for the kernel elsewhere in %v", seed, p, got, err, tree)
			}
		}
		if err := errors.Join(root.Close(), unix.Close(top)); err != nil {
			t.Fatal(err)
		}
	}
	if same < 1000 {
		t.Errorf("%d ends were compared: the generator gives too few", same)
	}
}
