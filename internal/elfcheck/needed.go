package elfcheck

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// Needed lists the libraries that a program of size bytes asks the dynamic linker for (DT_NEEDED), in its order: none for what is
// not a dynamic little-endian ELF file of 32 or 64 bits, be it that its headers make no sense. A dynamic section that makes no
// sense is an error.
//
// Whatever the file says of its sizes, it reads 65,535 section headers and 1,000 names of 4,096 bytes at most.
func Needed(r io.ReaderAt, size int64) ([]string, error) {
	f := &file{r: r, size: size}
	sections, entry, err := f.sectionsOfEither()
	if err != nil {
		return nil, nil
	}
	for _, s := range sections {
		if elf.SectionType(s.Type) != elf.SHT_DYNAMIC {
			continue
		}
		if uint64(s.Link) >= uint64(len(sections)) {
			return nil, fmt.Errorf("dynamic section: sh_link %d of %d sections", s.Link, len(sections))
		}
		names, err := f.neededBy(s, sections[s.Link], entry)
		if err != nil {
			return nil, fmt.Errorf("dynamic section: %w", err)
		}
		return names, nil
	}
	return nil, nil
}

// sectionsOfEither reads the section headers of both classes, and says how large an entry of a dynamic section is.
func (f *file) sectionsOfEither() (sections []elf.Section64, entry int, err error) {
	ident, err := f.bytes(0, elf.EI_NIDENT, "ident")
	switch {
	case err != nil:
		return nil, 0, err
	case bytes.HasPrefix(ident, []byte(elf.ELFMAG+"\x02\x01")):
		headers, err := decode[elf.Header64](f, 0, 1, "ELF header")
		if err != nil || int(headers[0].Shentsize) != binary.Size(elf.Section64{}) {
			return nil, 0, err
		}
		sections, err = decode[elf.Section64](f, headers[0].Shoff, headers[0].Shnum, "section headers")
		return sections, binary.Size(elf.Dyn64{}), err
	case bytes.HasPrefix(ident, []byte(elf.ELFMAG+"\x01\x01")):
		headers, err := decode[elf.Header32](f, 0, 1, "ELF header")
		if err != nil || int(headers[0].Shentsize) != binary.Size(elf.Section32{}) {
			return nil, 0, err
		}
		narrow, err := decode[elf.Section32](f, uint64(headers[0].Shoff), headers[0].Shnum, "section headers")
		for _, s := range narrow {
			sections = append(sections, elf.Section64{Type: s.Type, Off: uint64(s.Off), Size: uint64(s.Size), Link: s.Link})
		}
		return sections, binary.Size(elf.Dyn32{}), err
	}
	return nil, 0, nil
}

// neededBy reads a dynamic section up to its end mark.
func (f *file) neededBy(dynamic, strings elf.Section64, entry int) (names []string, err error) {
	in, err := f.content(dynamic)
	if err != nil {
		return nil, err
	}
	table, err := f.content(strings)
	if err != nil {
		return nil, fmt.Errorf("string table: %w", err)
	}
	for in, raw := bufio.NewReader(in), make([]byte, entry); ; {
		if _, err := io.ReadFull(in, raw); err == io.EOF {
			return names, nil
		} else if err != nil {
			return nil, err
		}
		tag, value := dynamicEntry(raw)
		if tag == elf.DT_NULL {
			return names, nil
		}
		if tag != elf.DT_NEEDED {
			continue
		}
		name, err := nameAt(table, value)
		if err != nil {
			return nil, err
		}
		if names = append(names, name); len(names) > maxNames {
			return nil, fmt.Errorf("more than %d libraries", maxNames)
		}
	}
}

func dynamicEntry(raw []byte) (tag elf.DynTag, value uint64) {
	le := binary.LittleEndian
	if len(raw) == binary.Size(elf.Dyn64{}) {
		return elf.DynTag(le.Uint64(raw)), le.Uint64(raw[8:])
	}
	return elf.DynTag(le.Uint32(raw)), uint64(le.Uint32(raw[4:]))
}

func (f *file) content(s elf.Section64) (*io.SectionReader, error) {
	if s.Off > uint64(f.size) || s.Size > uint64(f.size)-s.Off {
		return nil, fmt.Errorf("%#x bytes at %#x end outside the file of %#x bytes", s.Size, s.Off, f.size)
	}
	return io.NewSectionReader(f.r, int64(s.Off), int64(s.Size)), nil
}

// nameAt is the text at an offset of a string table, which is not read as a whole.
func nameAt(table *io.SectionReader, off uint64) (string, error) {
	if off >= uint64(table.Size()) {
		return "", fmt.Errorf("a name at %#x of a string table of %#x bytes", off, table.Size())
	}
	b := make([]byte, min(maxName, table.Size()-int64(off)))
	if n, err := table.ReadAt(b, int64(off)); n < len(b) {
		return "", err
	}
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return "", fmt.Errorf("the name at %#x of the string table does not end", off)
	}
	return string(b[:end]), nil
}
