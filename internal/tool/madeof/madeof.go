//go:build unix

// Package madeof tells whether what was compiled of a checkout is still made of what is there.
//
// It owns what counts for that. It must not know what was compiled, and imports next to nothing: at each call of `go tool mage` the go command looks at
// every package of that program, half a millisecond for each, which is most of what `mage -l` takes.
package madeof

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// Word is the first word of a call of tool/targets by tool/mage. The fingerprint follows, then what the user typed.
const Word = "__made-of"

// Kept is where the compiled tool/targets lies for the next call.
func Kept(root string) string { return root + "/out/mage/front" }

// Mark is the file with the fingerprint of what is [Kept].
func Mark(root string) string { return Kept(root) + ".made-of" }

// Fingerprint stands for everything that the targets and tool/targets are compiled from: what stat says (size, times, inode) of each
// source and embedded file, the module files and what the go command is told. The change time is in it, so that a
// file put back with its old modification time counts as changed.
func Fingerprint(root string) (string, error) {
	f := newPrint()
	f.add(runtime.Version())
	for _, name := range []string{"GOFLAGS", "GOTOOLCHAIN", "GOEXPERIMENT", "CGO_ENABLED", "GOOS", "GOARCH", "GOWORK", "GOROOT"} {
		f.add(name + "=" + os.Getenv(name))
	}
	for _, part := range []string{"go.mod", "go.sum"} {
		if err := f.stamp(root + "/" + part); err != nil {
			return "", err
		}
	}
	for _, part := range []string{"internal", "magefiles"} {
		if err := f.folder(root + "/" + part); err != nil {
			return "", err
		}
	}
	return strconv.FormatUint(f.sum, 16), nil
}

// folder stamps what is compiled below a folder, in the order of names.
func (f *print) folder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := dir + "/" + e.Name()
		switch {
		case e.IsDir() && e.Name() != "testdata":
			err = f.folder(path)
		case !e.IsDir() && !isTest(e.Name()) && e.Name() != "mage_output_file.go":
			err = f.stamp(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func isTest(name string) bool {
	const end = "_test.go"
	return len(name) > len(end) && name[len(name)-len(end):] == end
}

func (f *print) stamp(path string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	modified, changed := times(&st)
	f.line = append(append(f.line[:0], path...), 0)
	for _, n := range []int64{st.Size, int64(st.Ino), modified, changed} {
		f.line = append(strconv.AppendInt(f.line, n, 10), ' ')
	}
	f.add(string(f.line))
	return nil
}

// print is a sum of lines by FNV-1a: nobody forges stamps of files of his own, and package hash/fnv would be three packages more.
type print struct {
	sum  uint64
	line []byte
}

func newPrint() *print { return &print{sum: 14695981039346656037} }

func (f *print) add(line string) {
	for i := range len(line) {
		f.sum = (f.sum ^ uint64(line[i])) * 1099511628211
	}
	f.sum = (f.sum ^ '\n') * 1099511628211
}
