package staticlib

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Summary says what Relibc did.
type Summary struct {
	// Renamed is the number of symbols the archive defined under a name of rustc's.
	Renamed int
	// Defined is the number of different global symbols of the result.
	Defined int
}

// ErrNotRust is returned for an archive that defines no symbol of rustc's: it is some other library, or one
// that went through Relibc before.
var ErrNotRust = errors.New("the archive defines no Rust symbol, so it is not a static library as rustc makes it")

// Relibc makes out, a libc.a, of in, the static library rustc made of relibc. in is not changed. scratch is
// an existing folder for the list of names.
//
// Such a library carries its own core, alloc and global allocator. A program brings the same crates with
// the same names, and the linker would mix the two: a program's Vec freed by relibc's allocator, or
// one core's panic in the other's formatter. Under other names both live side by side, and only the
// C names are shared. Of these the float functions are renamed as well.
func (t Tools) Relibc(ctx context.Context, in, out, scratch string) (Summary, error) {
	before, err := t.defined(ctx, in)
	if err != nil {
		return Summary{}, err
	}
	names := slices.DeleteFunc(slices.Clone(before), func(s string) bool { return !IsRust(s) })
	if len(names) == 0 {
		return Summary{}, fmt.Errorf("%s: %w", in, ErrNotRust)
	}
	list := filepath.Join(scratch, filepath.Base(out)+".redefine")
	if err := os.WriteFile(list, RedefineFile(Renames(before)), 0o644); err != nil {
		return Summary{}, fmt.Errorf("writing the list of renamed symbols: %w", err)
	}
	if _, err := t.Run(ctx, RenameArgs(t.Objcopy, list, in, out)); err != nil {
		return Summary{}, err
	}
	after, err := t.defined(ctx, out)
	if err != nil {
		return Summary{}, err
	}
	if err := checkRenamed(after); err != nil {
		return Summary{}, fmt.Errorf("%s: %w", out, err)
	}
	return Summary{Renamed: len(names), Defined: len(after)}, nil
}

func (t Tools) defined(ctx context.Context, file string) ([]string, error) {
	listing, err := t.Run(ctx, ListArgs(t.NM, file))
	if err != nil {
		return nil, err
	}
	names, err := ParseList(listing)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return names, nil
}

// checkRenamed refuses a result that still defines what it must not: a tool that passed over the list would go
// unnoticed until a program misbehaves.
func checkRenamed(defined []string) error {
	var left []string
	for _, s := range defined {
		if IsRust(s) || isFloatFunction(s) || slices.Contains(allocatorSymbols, s) || slices.Contains(runtimeSymbols, s) {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		return nil
	}
	const shown = 5
	more := ""
	if len(left) > shown {
		more = fmt.Sprintf(" and %d more", len(left)-shown)
		left = left[:shown]
	}
	return fmt.Errorf("symbols were left that objcopy should have renamed: %s%s", strings.Join(left, ", "), more)
}
