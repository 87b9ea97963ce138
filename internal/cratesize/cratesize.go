// Package cratesize says how many bytes of a program come from which crate.
//
// It owns how a symbol's name tells of a crate. It must not know where programs with symbols are found, nor how sizes are shown.
//
// What has no symbol (constants, most of all) is nobody's: the sizes add up to less than the file. A generic function counts for the
// crate that wrote it, not for the one that uses it.
package cratesize

import (
	"debug/elf"
	"io"
	"regexp"
	"slices"

	"github.com/ianlancetaylor/demangle"
)

// Exported is the name under which what has no Rust path counts: the C library's functions, and assembly.
const Exported = "(C names)"

// Of reads the symbols of an ELF file and returns bytes by crate. A file without symbols gives none.
func Of(r io.ReaderAt) (map[string]int64, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, nil // stripped
	}
	symbols = slices.DeleteFunc(symbols, func(s elf.Symbol) bool { return !takesSpace(f, s) })
	slices.SortStableFunc(symbols, func(a, b elf.Symbol) int {
		if a.Value != b.Value {
			return compare(a.Value, b.Value)
		}
		return compare(b.Size, a.Size)
	})
	sizes, end := map[string]int64{}, uint64(0)
	for _, s := range symbols {
		// Functions that were folded into one have several names.
		from, to := max(s.Value, end), s.Value+s.Size
		if from >= to {
			continue
		}
		sizes[crateOf(s.Name)] += int64(to - from)
		end = to
	}
	return sizes, nil
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// takesSpace leaves out what is no function or object, or is not in the file (.bss).
func takesSpace(f *elf.File, s elf.Symbol) bool {
	kind := elf.ST_TYPE(s.Info)
	if s.Size == 0 || kind != elf.STT_FUNC && kind != elf.STT_OBJECT || int(s.Section) >= len(f.Sections) {
		return false
	}
	section := f.Sections[s.Section]
	return section.Type == elf.SHT_PROGBITS && section.Flags&elf.SHF_ALLOC != 0
}

// firstPath is the first path of a demangled name, behind what may stand before the self type of an implementation; asPath is that of
// the trait, for a self type that is of no crate.
var (
	firstPath = regexp.MustCompile(`^(?:<|&|\[|\(|\*|mut |const |dyn |impl )*([A-Za-z_][A-Za-z0-9_]*)(?:\[[0-9a-f]+\])?::`)
	asPath    = regexp.MustCompile(` as ([A-Za-z_][A-Za-z0-9_]*)(?:\[[0-9a-f]+\])?::`)
)

func crateOf(symbol string) string {
	name := demangle.Filter(symbol, demangle.NoClones)
	if name == symbol {
		return Exported
	}
	for _, path := range []*regexp.Regexp{firstPath, asPath} {
		if m := path.FindStringSubmatch(name); m != nil {
			return m[1]
		}
	}
	return Exported
}
