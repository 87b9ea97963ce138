package elfedit

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// maxSegments bounds the work on a crafted header: linkers make about ten.
const maxSegments = 1024

// lastOffset is the place of what has none yet: behind everything.
const lastOffset = math.MaxUint64

var le = binary.LittleEndian

// file is a decoded one. Offsets of sections are those of the input until [file.layout].
type file struct {
	data     []byte
	header   elf.Header64
	segments []*segment // without the two of [file.own]
	// own are the ELF header and the table of segments, which are laid out as segments are.
	own      [2]*segment
	sections []*section // without the first, which is none
	names    *section   // the string table of the sections' names
	shoff    uint64
}

type segment struct {
	elf.Prog64
	index  int
	parent *segment // that it lies in
	at     uint64   // its new offset
}

type section struct {
	elf.Section64
	name       string
	data       []byte // nil for SHT_NOBITS
	parent     *segment
	link, info *section // what sh_link and sh_info name, nil where they name no section
	symbols    []symbol // of a symbol table that can be changed
	gone       bool
	index      int // new
}

type symbol struct {
	elf.Sym64
	name string
	in   *section // nil for special indices
}

// parse decodes the headers. Everything they name has to be inside of the file.
func parse(data []byte) (*file, error) {
	f := &file{data: data}
	if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return nil, errors.New("not an ELF file")
	}
	if err := f.decode(0, &f.header, "the ELF header"); err != nil {
		return nil, err
	}
	h := &f.header
	switch class, order := elf.Class(h.Ident[elf.EI_CLASS]), elf.Data(h.Ident[elf.EI_DATA]); {
	case class != elf.ELFCLASS64 || order != elf.ELFDATA2LSB:
		return nil, fmt.Errorf("%s %s: want 64 bits, little-endian", class, order)
	case h.Shnum == 0 || h.Phnum > maxSegments:
		return nil, fmt.Errorf("it has %d segments and %d sections: want at most %d segments, and sections", h.Phnum, h.Shnum, maxSegments)
	}
	if err := f.parseSegments(); err != nil {
		return nil, err
	}
	return f, f.parseSections()
}

// decode reads one fixed structure.
func (f *file) decode(at uint64, into any, what string) error {
	b, err := f.bytes(at, uint64(binary.Size(into)), what)
	if err != nil {
		return err
	}
	_, err = binary.Decode(b, le, into)
	return err
}

func (f *file) bytes(at, size uint64, what string) ([]byte, error) {
	if end := at + size; end < at || end > uint64(len(f.data)) {
		return nil, fmt.Errorf("%s: %d bytes at %#x, and the file has %d", what, size, at, len(f.data))
	}
	return f.data[at : at+size], nil
}

func (f *file) parseSegments() error {
	h := &f.header
	if h.Phnum > 0 && int(h.Phentsize) != binary.Size(elf.Prog64{}) {
		return fmt.Errorf("e_phentsize: %d, want %d", h.Phentsize, binary.Size(elf.Prog64{}))
	}
	for i := range int(h.Phnum) {
		s := &segment{index: i}
		if err := f.decode(h.Phoff+uint64(i)*uint64(h.Phentsize), &s.Prog64, "a program header"); err != nil {
			return err
		}
		if _, err := f.bytes(s.Off, s.Filesz, fmt.Sprintf("segment %d", i)); err != nil {
			return err
		}
		if s.Align&(s.Align-1) != 0 {
			return fmt.Errorf("segment %d: an alignment of %#x is no power of two", i, s.Align)
		}
		f.segments = append(f.segments, s)
	}
	table := uint64(h.Phnum) * uint64(h.Phentsize)
	tableOffset := h.Phoff
	if h.Phnum == 0 {
		tableOffset = 0
	}
	f.own = [2]*segment{
		{index: len(f.segments), Prog64: elf.Prog64{Filesz: uint64(binary.Size(h))}},
		{index: len(f.segments) + 1, Prog64: elf.Prog64{Off: tableOffset, Filesz: table, Align: 8}},
	}
	for _, child := range append(f.own[:], f.segments...) {
		for _, s := range f.segments {
			if s != child && s.Off <= child.Off && s.Off+s.Filesz > child.Off && before(s, child) && (child.parent == nil || before(s, child.parent)) {
				child.parent = s
			}
		}
	}
	return nil
}

// before orders segments by where they begin.
func before(a, b *segment) bool {
	if a.Off != b.Off {
		return a.Off < b.Off
	}
	return a.index < b.index
}

func (f *file) parseSections() error {
	h := &f.header
	if int(h.Shentsize) != binary.Size(elf.Section64{}) {
		return fmt.Errorf("e_shentsize: %d, want %d", h.Shentsize, binary.Size(elf.Section64{}))
	}
	for i := 1; i < int(h.Shnum); i++ {
		s := &section{}
		if err := f.decode(h.Shoff+uint64(i)*uint64(h.Shentsize), &s.Section64, "a section header"); err != nil {
			return err
		}
		if s.Addralign&(s.Addralign-1) != 0 {
			return fmt.Errorf("section %d: an alignment of %#x is no power of two", i, s.Addralign)
		}
		if elf.SectionType(s.Type) != elf.SHT_NOBITS {
			var err error
			if s.data, err = f.bytes(s.Off, s.Size, fmt.Sprintf("section %d", i)); err != nil {
				return err
			}
		}
		s.parent = f.parentOf(s)
		f.sections = append(f.sections, s)
	}
	if f.names = f.section(uint32(h.Shstrndx)); f.names == nil {
		return fmt.Errorf("e_shstrndx: %d names no section", h.Shstrndx)
	}
	for i, s := range f.sections {
		var err error
		if s.name, err = text(f.names.data, s.Name); err != nil {
			return fmt.Errorf("the name of section %d: %w", i+1, err)
		}
		if err := f.references(s); err != nil {
			return err
		}
	}
	return nil
}

// section is the one with an index of the input, nil for none.
func (f *file) section(index uint32) *section {
	if index == 0 || int64(index) > int64(len(f.sections)) {
		return nil
	}
	return f.sections[index-1]
}

// parentOf is the first of the segments that a section lies in whole.
func (f *file) parentOf(s *section) (parent *segment) {
	size := max(s.Size, 1)
	for _, g := range f.segments {
		inside := g.Off <= s.Off && g.Off+g.Filesz >= s.Off+size && s.Off+size > s.Off
		if elf.SectionType(s.Type) == elf.SHT_NOBITS {
			flags := elf.SectionFlag(s.Flags)
			inside = flags&elf.SHF_ALLOC != 0 && (flags&elf.SHF_TLS != 0) == (elf.ProgType(g.Type) == elf.PT_TLS) &&
				g.Vaddr <= s.Addr && g.Vaddr+g.Memsz >= s.Addr+size && s.Addr+size > s.Addr
		}
		if inside && (parent == nil || before(g, parent)) {
			parent = g
		}
	}
	return parent
}

// references finds the sections and symbols that a section is about.
func (f *file) references(s *section) error {
	if s.Link != 0 {
		if s.link = f.section(s.Link); s.link == nil {
			return fmt.Errorf("section %s: its sh_link %d names no section", s.name, s.Link)
		}
	}
	if flags := elf.SectionFlag(s.Flags); flags&elf.SHF_INFO_LINK != 0 && s.Info != 0 {
		if s.info = f.section(s.Info); s.info == nil {
			return fmt.Errorf("section %s: its sh_info %d names no section", s.name, s.Info)
		}
	}
	if elf.SectionType(s.Type) != elf.SHT_SYMTAB || s.link == nil {
		return nil
	}
	entry := uint64(elf.Sym64Size)
	if s.Entsize != entry || s.Size%entry != 0 || s.Size == 0 {
		return fmt.Errorf("section %s: %d bytes in entries of %d, want such of %d and one at least", s.name, s.Size, s.Entsize, entry)
	}
	for at := entry; at < s.Size; at += entry {
		y := symbol{}
		if err := f.decode(s.Off+at, &y.Sym64, "a symbol"); err != nil {
			return err
		}
		var err error
		if y.name, err = text(s.link.data, y.Name); err != nil {
			return fmt.Errorf("the name of symbol %d: %w", at/entry, err)
		}
		switch index := elf.SectionIndex(y.Shndx); {
		case index == elf.SHN_XINDEX:
			return fmt.Errorf("section %s: symbols with section numbers above %d are not supported", s.name, elf.SHN_LORESERVE)
		case index != elf.SHN_UNDEF && index < elf.SHN_LORESERVE:
			if y.in = f.section(uint32(index)); y.in == nil {
				return fmt.Errorf("symbol %d is in section %d, which is not there", at/entry, index)
			}
		}
		s.symbols = append(s.symbols, y)
	}
	return nil
}

// text is a string of a string table.
func text(table []byte, at uint32) (string, error) {
	if at == 0 {
		return "", nil
	}
	if uint64(at) >= uint64(len(table)) {
		return "", fmt.Errorf("it begins at %#x of a string table of %d bytes", at, len(table))
	}
	end := bytes.IndexByte(table[at:], 0)
	if end < 0 {
		return "", fmt.Errorf("it does not end in its string table")
	}
	return string(table[at : int(at)+end]), nil
}
