package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onTmpfs moves the cache, without what cargo keeps, to a small file system in memory.
func onTmpfs(t *testing.T, w *world) (small *world, remount func(flags uintptr, options string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1500m"); err != nil {
		t.Skip("this machine does not let us mount a tmpfs: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	own := *w
	own.cache = filepath.Join(dir, "cache")
	for _, name := range []string{"actions", "cas", "toolchains", "cargo-home"} {
		copyTree(t, filepath.Join(w.cache, name), filepath.Join(own.cache, name), nil)
	}
	return &own, func(flags uintptr, options string) {
		t.Helper()
		check(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|flags, options))
	}
}

func TestFullDisk(t *testing.T) {
	w := setUp(t)
	small, remount := onTmpfs(t, w)
	small.forget(t)
	// The disk is full but for a little, at several sizes of little.
	for _, room := range []int64{0, 64 << 10, 1 << 20, 3 << 20} {
		filler := filepath.Join(filepath.Dir(small.cache), "filler")
		fill(t, filler, room)
		out, err := small.run(t, "recipe:build", "demo")
		if err == nil {
			t.Logf("%d bytes were enough", room)
		} else if !strings.Contains(strings.ToLower(out), "no space left on device") || room > 0 && !strings.Contains(out, "the disk is full") {
			t.Errorf("with %d bytes left it says:\n%s", room, out)
		}
		check(t, os.Remove(filler))
		small.mustAgree(t)
		small.forgetAll(t)
	}
	remount(0, "size=1600m")
	small.mustAgree(t)
}

// fill writes a file until only so much room is left.
func fill(t *testing.T, path string, room int64) {
	t.Helper()
	var st unix.Statfs_t
	check(t, unix.Statfs(filepath.Dir(path), &st))
	f, err := os.Create(path)
	check(t, err)
	check(t, unix.Fallocate(int(f.Fd()), 0, 0, int64(st.Bavail)*int64(st.Bsize)-room))
	check(t, f.Close())
}

func TestReadOnlyCache(t *testing.T) {
	w := setUp(t)
	small, remount := onTmpfs(t, w)
	small.mustAgree(t)
	remount(unix.MS_RDONLY, "size=1500m")
	if out := small.mustRun(t, "recipe:build", "demo"); !strings.Contains(out, "no compiler ran") {
		t.Errorf("a cache that holds everything cannot be used read-only:\n%s", out)
	}
	file := filepath.Join(small.checkout, "recipes/demo/hello/src/main.rs")
	before, err := os.ReadFile(file)
	check(t, err)
	defer func() { check(t, os.WriteFile(file, before, 0o644)) }()
	check(t, os.WriteFile(file, append([]byte("// changed\n"), before...), 0o644))
	out, err := small.run(t, "recipe:build", "demo")
	if err == nil || !strings.Contains(out, "read-only file system") || !strings.Contains(out, "REDOX_CACHE=DIR moves the cache") {
		t.Errorf("it says %v:\n%s", err, out)
	}
	remount(0, "size=1500m")
	check(t, os.WriteFile(file, before, 0o644))
	small.mustAgree(t)
}
