package session

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFileSystemOfTheCache(t *testing.T) {
	cache := t.TempDir()
	if err := checkFileSystem(cache); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(cache, "locks")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, c := range []struct {
		made os.FileMode
		link error
		want string
	}{
		{0o600, nil, ""},
		{0o777, nil, "makes every file a program; REDOX_CACHE=DIR"},
		{0o600, syscall.EPERM, "without symbolic links; REDOX_CACHE=DIR"},
	} {
		err := keepsFiles("/c", c.made, func() error { return c.link })
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
