//go:build unix

package main

import (
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestReadOnlyCheckoutIsExplained(t *testing.T) {
	for err, want := range map[error]bool{
		&fs.PathError{Op: "mkdir", Path: "/x/out", Err: syscall.EROFS}:  true,
		&fs.PathError{Op: "mkdir", Path: "/x/out", Err: syscall.EACCES}: true,
		&fs.PathError{Op: "mkdir", Path: "/x/out", Err: syscall.ENOSPC}: false,
	} {
		if got := strings.Contains(writable(err).Error(), "out/ may be a link"); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
