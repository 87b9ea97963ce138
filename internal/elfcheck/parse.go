package elfcheck

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// file is a decoded ELF64 little-endian file.
type file struct {
	r        io.ReaderAt
	size     int64
	header   elf.Header64
	progs    []elf.Prog64
	sections []section
}

type section struct {
	elf.Section64
	name string
}

// maxName bounds what is copied of a name out of a string table: mangled Rust
// names are long, but not that long.
const maxName = 4096

func parse(r io.ReaderAt, size int64) (*file, error) {
	f := &file{r: r, size: size}
	ident := make([]byte, elf.EI_NIDENT)
	if n, _ := r.ReadAt(ident, 0); n < len(ident) || size < int64(len(ident)) || !bytes.HasPrefix(ident, []byte(elf.ELFMAG)) {
		return nil, fmt.Errorf("not an ELF file")
	}
	if c, d := elf.Class(ident[elf.EI_CLASS]), elf.Data(ident[elf.EI_DATA]); c != elf.ELFCLASS64 || d != elf.ELFDATA2LSB {
		return nil, fmt.Errorf("%s %s: want 64 bits, little-endian", c, d)
	}
	headers, err := decode[elf.Header64](f, 0, 1, "ELF header")
	if err != nil {
		return nil, err
	}
	f.header = headers[0]
	h := f.header
	if h.Phnum > 0 {
		if h.Phentsize != uint16(binary.Size(elf.Prog64{})) {
			return nil, fmt.Errorf("e_phentsize: %d, want %d", h.Phentsize, binary.Size(elf.Prog64{}))
		}
		if f.progs, err = decode[elf.Prog64](f, h.Phoff, h.Phnum, "program headers"); err != nil {
			return nil, err
		}
	}
	return f, f.parseSections()
}

func (f *file) parseSections() error {
	h := f.header
	if h.Shnum == 0 {
		if h.Shoff != 0 {
			return fmt.Errorf("e_shnum: 0 with e_shoff %#x: 65280 or more sections are not supported", h.Shoff)
		}
		return nil
	}
	if h.Shentsize != uint16(binary.Size(elf.Section64{})) {
		return fmt.Errorf("e_shentsize: %d, want %d", h.Shentsize, binary.Size(elf.Section64{}))
	}
	raw, err := decode[elf.Section64](f, h.Shoff, h.Shnum, "section headers")
	if err != nil {
		return err
	}
	f.sections = make([]section, len(raw))
	for i, s := range raw {
		f.sections[i].Section64 = s
	}
	if int(h.Shstrndx) >= len(raw) {
		return nil // no names
	}
	names, err := f.data(&f.sections[h.Shstrndx])
	if err != nil {
		return fmt.Errorf("section names: %w", err)
	}
	for i := range f.sections {
		f.sections[i].name = text(names, f.sections[i].Name, 64)
	}
	return nil
}

// decode reads count structures at off; nothing is allocated for structures the
// file has no room for.
func decode[T any](f *file, off uint64, count uint16, what string) ([]T, error) {
	size := uint64(binary.Size(*new(T))) * uint64(count)
	if off > uint64(f.size) || size > uint64(f.size)-off {
		return nil, fmt.Errorf("%s: %d of them at %#x end outside the file of %#x bytes", what, count, off, f.size)
	}
	out := make([]T, count)
	if err := binary.Read(io.NewSectionReader(f.r, int64(off), int64(size)), binary.LittleEndian, out); err != nil {
		return nil, fmt.Errorf("%s at %#x: %w", what, off, err)
	}
	return out, nil
}

// data reads a section. Compressed sections are not inflated: none that matters
// here is ever compressed.
func (f *file) data(s *section) ([]byte, error) {
	if elf.SectionType(s.Type) == elf.SHT_NOBITS || s.Size == 0 {
		return nil, nil
	}
	if elf.SectionFlag(s.Flags)&elf.SHF_COMPRESSED != 0 {
		return nil, fmt.Errorf("section %q is compressed", s.name)
	}
	return f.bytes(s.Off, s.Size, fmt.Sprintf("section %q", s.name))
}

func (f *file) bytes(off, size uint64, what string) ([]byte, error) {
	if off > uint64(f.size) || size > uint64(f.size)-off {
		return nil, fmt.Errorf("%s: %#x bytes at %#x end outside the file of %#x bytes", what, size, off, f.size)
	}
	b := make([]byte, size)
	if n, err := f.r.ReadAt(b, int64(off)); n < len(b) {
		return nil, fmt.Errorf("%s at %#x: %w", what, off, err)
	}
	return b, nil
}

// text is the NUL-terminated string at off, cut at limit bytes.
func text(table []byte, off uint32, limit int) string {
	if uint64(off) >= uint64(len(table)) {
		return ""
	}
	t := table[off:]
	if len(t) > limit {
		t = t[:limit]
	}
	if i := bytes.IndexByte(t, 0); i >= 0 {
		t = t[:i]
	}
	return string(t)
}

// symbol is an entry of a symbol table with its name not yet copied.
type symbol struct {
	elf.Sym64
	strings []byte
}

func (s symbol) name() string          { return text(s.strings, s.Name, maxName) }
func (s symbol) bind() elf.SymBind     { return elf.ST_BIND(s.Info) }
func (s symbol) kind() elf.SymType     { return elf.ST_TYPE(s.Info) }
func (s symbol) defined() bool         { return s.Shndx != uint16(elf.SHN_UNDEF) }
func (s symbol) isNamed(n string) bool { return hasString(s.strings, s.Name, n) }

// hasString compares without copying.
func hasString(table []byte, off uint32, want string) bool {
	end := uint64(off) + uint64(len(want))
	return end < uint64(len(table)) && string(table[off:end]) == want && table[end] == 0
}

// eachSymbol visits the symbols of the table of that type. The format allows
// one; of a crafted file's many only the first is read.
func (f *file) eachSymbol(t elf.SectionType, visit func(symbol)) (found bool, err error) {
	const size = elf.Sym64Size
	for i := range f.sections {
		s := &f.sections[i]
		if elf.SectionType(s.Type) != t {
			continue
		}
		if uint64(s.Link) >= uint64(len(f.sections)) {
			return false, fmt.Errorf("section %q: sh_link %d of %d sections", s.name, s.Link, len(f.sections))
		}
		table, err := f.data(s)
		if err != nil {
			return false, err
		}
		names, err := f.data(&f.sections[s.Link])
		if err != nil {
			return false, err
		}
		le := binary.LittleEndian
		for b := table; len(b) >= size; b = b[size:] {
			visit(symbol{elf.Sym64{
				Name: le.Uint32(b), Info: b[4], Other: b[5], Shndx: le.Uint16(b[6:]),
				Value: le.Uint64(b[8:]), Size: le.Uint64(b[16:]),
			}, names})
		}
		return len(table) >= 2*size, nil
	}
	return false, nil
}

func (f *file) section(name string) *section {
	for i := range f.sections {
		if f.sections[i].name == name {
			return &f.sections[i]
		}
	}
	return nil
}
