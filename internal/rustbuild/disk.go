package rustbuild

import (
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OnDisk is how many bytes the files below a folder take on the disk, a file with several names once. What cannot
// be looked at counts nothing.
func OnDisk(dir string) int64 {
	type inode struct{ dev, ino uint64 }
	seen := map[inode]bool{}
	var total int64
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil || unix.Lstat(path, &st) != nil {
			return nil
		}
		if id := (inode{uint64(st.Dev), st.Ino}); !seen[id] {
			seen[id] = true
			total += st.Blocks * 512
		}
		return nil
	})
	return total
}

// TooLittleDisk means that a build would not fit.
type TooLittleDisk struct {
	Dir                  string
	Free, Wanted, Recipe int64 // bytes; Recipe is what a build from nothing takes
}

// Error names the folder and the way out.
func (e *TooLittleDisk) Error() string {
	gib := func(n int64) float64 { return float64(n) / (1 << 30) }
	return fmt.Sprintf("the disk of %s has %.1f GiB free, and %.1f GiB more are needed (%.1f GiB for all of it)\n  `mage cache:gc` makes room, REDOX_CACHE=DIR takes another disk",
		e.Dir, gib(e.Free), gib(e.Wanted), gib(e.Recipe))
}

// CheckDisk compares the free space with what is still missing of what a build takes: used is what of it is there.
func CheckDisk(dir string, needs Needs, used int64, free func(dir string) (int64, error)) error {
	have, err := free(dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", dir, err)
	}
	all := needs.DiskMiB << 20
	if wanted := max(all-used, minimalFree); have < wanted {
		return &TooLittleDisk{Dir: dir, Free: have, Wanted: wanted, Recipe: all}
	}
	return nil
}

// minimalFree is needed however much is there already: a result, and the objects that change.
const minimalFree = 1 << 30
