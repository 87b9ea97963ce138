package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkFileSystem refuses a cache on a file system that does not keep what results consist of: whether a file
// is a program, and symbolic links. vfat and exFAT have neither. Hard links are not needed. A cache that cannot be written
// to can still be used, so that is not looked at here.
func checkFileSystem(cache string) error {
	if mountedNoExec(cache) {
		return fmt.Errorf("the cache %s is on a file system mounted noexec, and build scripts run there; REDOX_CACHE=DIR moves it to another file system", cache)
	}
	// What a killed run leaves here is removed with the locks.
	dir := filepath.Join(cache, "locks")
	if os.MkdirAll(dir, 0o755) != nil {
		return nil
	}
	f, err := os.CreateTemp(dir, "probe-*") // 0600
	if err != nil {
		return nil
	}
	defer os.Remove(f.Name())
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return keepsFiles(cache, info.Mode().Perm(), func() error {
		link := f.Name() + "-link"
		defer os.Remove(link)
		return os.Symlink("target", link)
	})
}

// keepsFiles judges a file that was made without the right to be run, and whether a link can be made.
func keepsFiles(cache string, made os.FileMode, link func() error) error {
	const remedy = "REDOX_CACHE=DIR moves it to another file system"
	if made&0o111 != 0 {
		return fmt.Errorf("the cache %s is on a file system that makes every file a program; %s", cache, remedy)
	}
	err := link()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("the cache %s is on a file system without symbolic links; %s: %w", cache, remedy, err)
	}
	return err
}
