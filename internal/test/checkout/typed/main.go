// Command typed is `mage` as a person types it, in tests: it reads a command line as `go tool mage` does, and hands it to the targets that were
// compiled for the tests, the program targets beside it.
//
// It owns nothing. It must not compile targets.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pannous/redox-clif/internal/front"
)

func main() {
	err := run(os.Args[1:])
	fmt.Fprintln(os.Stderr, "Error:", err) // what was started does not come back
	if usage := (*front.UsageError)(nil); errors.As(err, &usage) {
		fmt.Fprintln(os.Stderr, "Nothing was run.")
	}
	os.Exit(2)
}

func run(args []string) error {
	options, words, err := front.Split(args)
	if err != nil {
		return err
	}
	if len(words) > 0 && !options.List && !options.Help && words[0] != "help" {
		f, err := front.Read(".")
		if err != nil {
			return err
		}
		line, err := f.Check(words)
		if err != nil {
			return err
		}
		args = append(options.Mage, line.Args...)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	targets := filepath.Join(filepath.Dir(self), "targets")
	return syscall.Exec(targets, append([]string{"mage"}, args...), os.Environ())
}
