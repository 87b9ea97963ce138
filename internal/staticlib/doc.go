// Package staticlib does the archive work of the sysroot: it turns the static library rustc makes of
// relibc into a libc.a that programs with a standard library of their own can be linked with, and
// it makes archives of object files that come out as the same bytes every time.
//
// It owns the rules of which symbols are renamed or dropped. It must not know recipes, actions or
// where the tools come from: the caller names llvm-nm, llvm-objcopy and llvm-ar and gives a Runner.
//
// Sources of the facts here: relibc's renamesyms.sh and stripcore.sh (which names), rust-lang/rust
// issue 142119 (why the float functions), the rustc book's chapters on the v0 and the legacy symbol
// mangling (how a Rust symbol is told from a C one), POSIX nm for the listing's format.
package staticlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Runner runs a tool to its end and returns what it wrote to standard output. argv[0] is the tool.
// Its error names the tool and holds what the tool complained about.
type Runner func(ctx context.Context, argv []string) ([]byte, error)

// Tools are the LLVM tools of a toolchain.
type Tools struct {
	// NM, Objcopy and Ar are the paths of llvm-nm, llvm-objcopy and llvm-ar.
	NM, Objcopy, Ar string
	// Run runs them.
	Run Runner
}

// Empty is an archive without members. Programs name libm, libpthread, libdl and librt by habit; on
// Redox all of it is in libc.a.
func Empty() []byte { return []byte("!<arch>\n") }

// CreateArgs is the command that makes the archive out of the object files in the order given. The D
// has ar write zero times, owners and a fixed mode, so that equal members make an equal archive. A
// file that is there already would be added to: the caller removes it first (Create does).
func CreateArgs(ar, out string, objects []string) []string {
	return append([]string{ar, "rcsD", out}, objects...)
}

// Create makes the archive out anew of the object files in the order given.
func (t Tools) Create(ctx context.Context, out string, objects []string) error {
	if len(objects) == 0 {
		return os.WriteFile(out, Empty(), 0o644)
	}
	if err := os.Remove(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("making %s: %w", out, err)
	}
	_, err := t.Run(ctx, CreateArgs(t.Ar, out, objects))
	return err
}
