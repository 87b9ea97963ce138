//go:build unix

// Command mage is what `go tool mage` runs: it starts tool/targets, which does the rest. That is kept in out/ when it was compiled, and
// compiled again by the go command when a source has changed.
//
// It owns that start. It must not know anything of Mage, of targets or of command lines, and imports next to nothing: see package madeof.
package main

import (
	"os"
	"syscall"

	"github.com/pannous/redox-clif/internal/tool/madeof"
)

func main() {
	err := start(os.Args[1:])
	_, _ = os.Stderr.WriteString("Error: " + err.Error() + "\n") // what was started does not come back
	os.Exit(1)
}

// start becomes tool/targets. It returns only with an error.
func start(args []string) error {
	root, ok := findRoot()
	if !ok {
		return compileAndRun(args)
	}
	made, err := madeof.Fingerprint(root)
	if err != nil {
		return err
	}
	args = append([]string{madeof.Word, made}, args...)
	if mark, err := os.ReadFile(madeof.Mark(root)); err == nil && string(mark) == made {
		kept := madeof.Kept(root)
		_ = syscall.Exec(kept, append([]string{kept}, args...), os.Environ()) // it may be gone, or of another machine
	}
	return compileAndRun(args)
}

// compileAndRun has the go command do both; env looks for it as a shell does.
func compileAndRun(args []string) error {
	return syscall.Exec("/usr/bin/env", append([]string{"env", "go", "tool", "targets"}, args...), os.Environ())
}

// findRoot walks up to the folder that has go.mod and magefiles, as tool/targets does.
func findRoot() (string, bool) {
	at, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for end := len(at); end > 0; end-- {
		if end < len(at) && at[end] != '/' {
			continue
		}
		if dir := at[:end]; exists(dir+"/go.mod") && exists(dir+"/magefiles") {
			return dir, true
		}
	}
	return "", false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
