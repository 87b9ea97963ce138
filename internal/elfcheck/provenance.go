package elfcheck

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// Provenance is what a program says about its making.
type Provenance struct {
	Comments []string // the strings of .comment: compilers and linkers, in file order
	Notes    []Note   // of all note sections, or note segments when there are no sections
}

// Note is an ELF note.
type Note struct {
	Name string // owner, without its NUL
	Type uint32 // meaning is the owner's
	Desc []byte
}

// Find returns the first note with that owner.
func (p Provenance) Find(owner string) (Note, bool) {
	for _, n := range p.Notes {
		if n.Name == owner {
			return n, true
		}
	}
	return Note{}, false
}

// Encode returns the note as a note section holds it: little-endian, name and
// description padded to four bytes.
func (n Note) Encode() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(n.Name)+1))
	b = le.AppendUint32(b, uint32(len(n.Desc)))
	b = le.AppendUint32(b, n.Type)
	b = pad4(append(append(b, n.Name...), 0))
	return pad4(append(b, n.Desc...))
}

func pad4(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }

// ReadProvenance reads .comment and the notes of an ELF file of size bytes.
func ReadProvenance(r io.ReaderAt, size int64) (Provenance, error) {
	f, err := parse(r, size)
	if err != nil {
		return Provenance{}, err
	}
	return f.provenance()
}

func (f *file) provenance() (Provenance, error) {
	var out Provenance
	if s := f.section(".comment"); s != nil {
		b, err := f.data(s)
		if err != nil {
			return out, err
		}
		for _, c := range bytes.Split(b, []byte{0}) {
			if len(c) > 0 {
				out.Comments = append(out.Comments, string(c))
			}
		}
	}
	// Sections may overlap in a crafted file: what is read in total is bounded.
	budget := f.size
	add := func(off, size uint64, what string) error {
		if size > uint64(budget) {
			return fmt.Errorf("%s: %#x bytes: the notes are larger than the file", what, size)
		}
		budget -= int64(size)
		b, err := f.bytes(off, size, what)
		if err != nil {
			return err
		}
		out.Notes = append(out.Notes, parseNotes(b)...)
		return nil
	}
	for _, s := range f.sections {
		if elf.SectionType(s.Type) == elf.SHT_NOTE {
			if err := add(s.Off, s.Size, fmt.Sprintf("section %q", s.name)); err != nil {
				return out, err
			}
		}
	}
	if len(f.sections) > 0 {
		return out, nil
	}
	for _, p := range f.progs {
		if elf.ProgType(p.Type) == elf.PT_NOTE {
			if err := add(p.Off, p.Filesz, "PT_NOTE"); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// parseNotes reads notes until the first that does not fit.
func parseNotes(b []byte) []Note {
	var out []Note
	le := binary.LittleEndian
	for len(b) >= 12 {
		nameLen, descLen, kind := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
		b = b[12:]
		descAt := (nameLen + 3) &^ 3
		if descAt > uint64(len(b)) || descLen > uint64(len(b))-descAt {
			return out
		}
		out = append(out, Note{
			Name: string(bytes.TrimRight(b[:nameLen], "\x00")),
			Type: kind,
			Desc: bytes.Clone(b[descAt : descAt+descLen]),
		})
		b = b[min(uint64(len(b)), (descAt+descLen+3)&^3):]
	}
	return out
}
