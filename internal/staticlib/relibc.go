package staticlib

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/elfedit"
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

// Relibc makes a libc.a of the static library rustc made of relibc, which stays as it is.
//
// Such a library carries its own core, alloc and global allocator. A program brings the same crates with
// the same names, and the linker would mix the two: a program's Vec freed by relibc's allocator, or
// one core's panic in the other's formatter. Under other names both live side by side, and only the
// C names are shared. Of these the float functions are renamed as well.
func Relibc(archive []byte) ([]byte, Summary, error) {
	members, err := Read(archive)
	if err != nil {
		return nil, Summary{}, err
	}
	before, err := defined(members)
	if err != nil {
		return nil, Summary{}, err
	}
	names := slices.DeleteFunc(slices.Clone(before), func(s string) bool { return !IsRust(s) })
	if len(names) == 0 {
		return nil, Summary{}, ErrNotRust
	}
	to := map[string]string{}
	for _, name := range Renames(before) {
		to[name] = Prefix + name
	}
	for i, m := range members {
		if members[i].Data, err = elfedit.Rename(m.Data, to); err != nil {
			return nil, Summary{}, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	after, err := defined(members)
	if err != nil {
		return nil, Summary{}, err
	}
	if err := checkRenamed(after); err != nil {
		return nil, Summary{}, err
	}
	out, err := Write(members)
	return out, Summary{Renamed: len(names), Defined: len(after)}, err
}

// defined are the global symbols of all members, sorted and once each.
func defined(members []Member) ([]string, error) {
	var names []string
	for _, m := range members {
		found, err := elfedit.Defined(m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// checkRenamed refuses a result that still defines what it must not: it would go
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
	return fmt.Errorf("symbols were left that should have other names: %s%s", strings.Join(left, ", "), more)
}
