//go:build unix

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fingerprint stands for everything the targets are compiled from: what stat says (size, times, inode) of each
// source and embedded file, the module files and what the go command is told. The change time is in it, so that a
// file put back with its old modification time counts as changed.
func fingerprint(root string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version())
	for _, name := range []string{"GOFLAGS", "GOTOOLCHAIN", "GOEXPERIMENT", "CGO_ENABLED", "GOOS", "GOARCH", "GOWORK", "GOROOT"} {
		fmt.Fprintln(h, name, os.Getenv(name))
	}
	for _, part := range []string{"go.mod", "go.sum", "internal", "magefiles"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && e.Name() == "testdata":
				return fs.SkipDir
			case e.IsDir(), strings.HasSuffix(path, "_test.go"), e.Name() == "mage_output_file.go":
				return nil
			}
			return stamp(h, path)
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func stamp(h io.Writer, path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	line := append([]byte(path), 0)
	for _, n := range []int64{st.Size, int64(st.Ino), st.Mtim.Nano(), st.Ctim.Nano()} {
		line = append(strconv.AppendInt(line, n, 10), ' ')
	}
	_, err := h.Write(line)
	return err
}
