package elfedit

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What is taken out of a file.
type What string

const (
	// All are the symbol table and every section that is not loaded.
	All What = "all"
	// Debug are the sections with debug information and the symbols that name source files. Other symbols stay.
	Debug What = "debug"
)

// Section is one that is added. It is not loaded. A name that begins with ".note" makes it a note section.
type Section struct {
	Name string
	Data []byte
}

// Options say what a file loses and gets.
type Options struct {
	What What
	// Keep are names of sections that stay though they are not loaded.
	Keep []string
	Add  []Section
}

// Strip returns the file without what the options name. The input stays as it is.
func Strip(file []byte, o Options) ([]byte, error) {
	f, err := parse(file)
	if err != nil {
		return nil, err
	}
	if len(f.segments) == 0 {
		return nil, errors.New("it has no segments: want a linked file")
	}
	if err := f.remove(o); err != nil {
		return nil, err
	}
	for _, s := range o.Add {
		f.add(s)
	}
	return f.encode()
}

// remove drops sections and symbols.
func (f *file) remove(o Options) error {
	goes := func(s *section) bool {
		switch {
		case s == f.names || slices.Contains(o.Keep, s.name):
			return false
		case o.What == Debug:
			return strings.HasPrefix(s.name, ".debug") || s.name == ".gdb_index"
		}
		return s.parent == nil && elf.SectionFlag(s.Flags)&elf.SHF_ALLOC == 0 && !strings.HasPrefix(s.name, ".gnu.warning")
	}
	f.sections = slices.DeleteFunc(f.sections, func(s *section) bool {
		s.gone = goes(s)
		return s.gone
	})
	for _, s := range f.sections {
		if s.link != nil && s.link.gone {
			return fmt.Errorf("section %s stays and needs section %s, which does not", s.name, s.link.name)
		}
		if s.info != nil && s.info.gone {
			return fmt.Errorf("section %s stays and is about section %s, which does not", s.name, s.info.name)
		}
	}
	for _, s := range f.sections {
		if s.symbols == nil {
			continue
		}
		before := len(s.symbols)
		s.symbols = slices.DeleteFunc(s.symbols, func(y symbol) bool {
			return y.in != nil && y.in.gone || o.What == Debug && elf.ST_TYPE(y.Info) == elf.STT_FILE
		})
		if len(s.symbols) < before {
			if err := f.numbered(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbered refuses a file in which a section that stays counts the symbols of a table: relocations that a linker was told to leave.
func (f *file) numbered(symbols *section) error {
	for _, s := range f.sections {
		if kind := elf.SectionType(s.Type); s.link == symbols && (kind == elf.SHT_RELA || kind == elf.SHT_REL || kind == elf.SHT_GROUP) {
			return fmt.Errorf("section %s numbers symbols of which some would go", s.name)
		}
	}
	return nil
}

// add appends a section that is not loaded.
func (f *file) add(added Section) {
	s := &section{name: added.Name, data: added.Data}
	s.Type, s.Addralign, s.Size = uint32(elf.SHT_PROGBITS), 1, uint64(len(added.Data))
	if strings.HasPrefix(added.Name, ".note") && added.Name != ".note.GNU-stack" {
		s.Type = uint32(elf.SHT_NOTE)
	}
	s.Off = lastOffset
	f.sections = append(f.sections, s)
}
