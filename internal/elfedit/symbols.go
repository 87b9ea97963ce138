package elfedit

import (
	"debug/elf"
	"errors"
	"slices"
	"strings"
)

// Defined lists the global and weak symbols that an object or a linked file defines, in the order of its symbol table: what the index of an
// archive names. The marks that assemblers leave between code and data ($x, $d) are none.
func Defined(file []byte) ([]string, error) {
	f, err := parse(file)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range f.sections {
		for _, y := range s.symbols {
			if y.isDefined() && !(f.marksCode() && (strings.HasPrefix(y.name, "$x") || strings.HasPrefix(y.name, "$d"))) {
				names = append(names, y.name)
			}
		}
	}
	return names, nil
}

func (f *file) marksCode() bool {
	return slices.Contains([]elf.Machine{elf.EM_AARCH64, elf.EM_ARM, elf.EM_RISCV}, elf.Machine(f.header.Machine))
}

func (y *symbol) isDefined() bool {
	kind := elf.ST_TYPE(y.Info)
	return elf.ST_BIND(y.Info) != elf.STB_LOCAL && elf.SectionIndex(y.Shndx) != elf.SHN_UNDEF && kind != elf.STT_FILE && kind != elf.STT_SECTION
}

// errOrder is for a file that this package would have to number relocations anew for.
var errOrder = errors.New("its symbol table has local symbols behind others")

// Rename gives symbols of an object other names, where they are defined and where they are used: those for which names has one. The input
// stays as it is. The result is byte for byte that of llvm-objcopy with --redefine-syms.
func Rename(file []byte, names map[string]string) ([]byte, error) {
	f, err := parse(file)
	if err != nil {
		return nil, err
	}
	for _, s := range f.sections {
		if !slices.IsSortedFunc(s.symbols, localsFirst) {
			return nil, errOrder
		}
		for i := range s.symbols {
			if to, ok := names[s.symbols[i].name]; ok {
				s.symbols[i].name = to
			}
		}
	}
	return f.encode()
}
