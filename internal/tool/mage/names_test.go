package main

import (
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestNamesAsFlags(t *testing.T) {
	for _, test := range [][2][]string{
		{{}, {}},
		{{"toolchain:build"}, {"toolchain:build"}},
		{{"toolchain:build", "x-1.0"}, {"toolchain:build", "-name=x-1.0"}},
		{{"Toolchain:Pack", "x", "-o=f"}, {"Toolchain:Pack", "-name=x", "-o=f"}},
		{{"toolchain:build", "-dryrun", "demo"}, {"toolchain:build", "-dryrun", "demo"}},
		{{"toolchain:build", "toolchain:show"}, {"toolchain:build", "toolchain:show"}},
		{{"toolchain:unpack", "file"}, {"toolchain:unpack", "file"}},
		{{"plan", "demo", "-std=shared"}, {"plan", "-recipe=demo", "-std=shared"}},
	} {
		if got := namesAsFlags(test[0]); !slices.Equal(got, test[1]) {
			t.Errorf("%q: %q, want %q", test[0], got, test[1])
		}
	}
}

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
