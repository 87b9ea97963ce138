package elfedit

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// encode returns the file with what was changed in it.
func (f *file) encode() ([]byte, error) {
	if err := f.tables(); err != nil {
		return nil, err
	}
	if err := f.layout(uint64(len(f.data))); err != nil {
		return nil, err
	}
	return f.write(), nil
}

// tables makes the string tables and symbol tables of what is left.
func (f *file) tables() error {
	for i, s := range f.sections {
		s.index = i + 1
	}
	strings := map[*section]*stringTable{f.names: {}}
	for _, s := range f.sections {
		strings[f.names].add(s.name)
		if s.symbols == nil {
			continue
		}
		if strings[s.link] == nil {
			strings[s.link] = &stringTable{}
		}
		for _, y := range s.symbols {
			strings[s.link].add(y.name)
		}
	}
	for s, table := range strings {
		if s.parent != nil {
			return fmt.Errorf("section %s is loaded, and has the names of symbols or sections that change", s.name)
		}
		s.data = table.bytes()
		s.Size = uint64(len(s.data))
	}
	for _, s := range f.sections {
		s.Name = strings[f.names].at[s.name]
		s.Link = 0
		if s.link != nil {
			s.Link = uint32(s.link.index)
		}
		if s.info != nil {
			s.Info = uint32(s.info.index)
		}
		if s.symbols != nil {
			s.writeSymbols(strings[s.link])
		}
	}
	return nil
}

// writeSymbols puts local symbols first, in the order in which they were.
func (s *section) writeSymbols(names *stringTable) {
	slices.SortStableFunc(s.symbols, localsFirst)
	s.Info = 1
	var out bytes.Buffer
	out.Write(make([]byte, elf.Sym64Size))
	for _, y := range s.symbols {
		if y.isLocal() {
			s.Info++
		}
		y.Name = names.at[y.name]
		if y.in != nil {
			y.Shndx = uint16(y.in.index)
		}
		put(&out, y.Sym64)
	}
	s.data, s.Size = out.Bytes(), uint64(out.Len())
}

func (y *symbol) isLocal() bool { return elf.ST_BIND(y.Info) == elf.STB_LOCAL }

func localsFirst(a, b symbol) int {
	switch {
	case a.isLocal() == b.isLocal():
		return 0
	case a.isLocal():
		return -1
	}
	return 1
}

// put appends a structure. The buffer takes whatever it is given.
func put(out *bytes.Buffer, v any) { _ = binary.Write(out, le, v) }

// layout gives everything its new offset. What is in a segment keeps its place there. size is that of the input, in bytes.
func (f *file) layout(size uint64) error {
	ordered := append(f.own[:], f.segments...)
	slices.SortStableFunc(ordered, func(a, b *segment) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	end := uint64(0)
	for _, g := range ordered {
		if g.parent != nil {
			g.at = g.parent.at + g.Off - g.parent.Off
		} else {
			g.at = congruent(end, max(g.Align, 1), g.Vaddr)
		}
		end = max(end, g.at+g.Filesz)
	}
	var loose []*section
	for _, s := range f.sections {
		if s.parent == nil {
			loose = append(loose, s)
		} else {
			s.Off = s.parent.at + s.Off - s.parent.Off
		}
	}
	slices.SortStableFunc(loose, func(a, b *section) int {
		switch {
		case a.Off < b.Off:
			return -1
		case a.Off > b.Off:
			return 1
		}
		return 0
	})
	// An alignment may be larger than there is memory; and no file of a linker leaves more room than it fills.
	most := 2*size + slack
	for _, s := range loose {
		most += uint64(len(s.data))
		s.Off = congruent(end, max(s.Addralign, 1), 0)
		end = max(end, s.Off) + uint64(len(s.data))
	}
	if end > most {
		return fmt.Errorf("its alignments would make a file of %d bytes out of one of %d", end, size)
	}
	f.shoff = congruent(end, 8, 0)
	return nil
}

// slack is for alignments, in bytes.
const slack = 128 << 10

// congruent is the first number from n on that leaves the same rest as r; align is a power of two.
func congruent(n, align, r uint64) uint64 { return n + (r-n)&(align-1) }

// write returns the file that was laid out.
func (f *file) write() []byte {
	h := f.header
	h.Shoff = f.shoff
	if len(f.segments) > 0 {
		h.Phoff = f.own[1].at
	}
	h.Shnum, h.Shstrndx = uint16(len(f.sections)+1), uint16(f.names.index)

	out := make([]byte, f.shoff+uint64(h.Shnum)*uint64(h.Shentsize))
	for _, g := range f.segments {
		copy(out[g.at:], f.data[g.Off:g.Off+g.Filesz])
	}
	for _, s := range f.sections {
		copy(out[min(s.Off, uint64(len(out))):], s.data)
	}
	at := func(offset uint64, v any) {
		var b bytes.Buffer
		put(&b, v)
		copy(out[offset:], b.Bytes())
	}
	at(0, h)
	for i, g := range f.segments {
		moved := g.Prog64
		moved.Off = g.at
		at(h.Phoff+uint64(i)*uint64(h.Phentsize), moved)
	}
	for i, s := range f.sections {
		at(h.Shoff+uint64(i+1)*uint64(h.Shentsize), s.Section64)
	}
	return out
}

// stringTable is one as llvm writes it: a string that ends another is inside of it.
type stringTable struct{ at map[string]uint32 }

func (t *stringTable) add(s string) {
	if t.at == nil {
		t.at = map[string]uint32{}
	}
	t.at[s] = 0
}

// bytes sorts the strings from their ends, the longer first, and sets where each begins.
func (t *stringTable) bytes() []byte {
	all := make([]string, 0, len(t.at))
	for s := range t.at {
		if s != "" {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return fromTheEnd(b, a) })
	out := []byte{0}
	previous := ""
	for _, s := range all {
		if strings.HasSuffix(previous, s) {
			t.at[s] = uint32(len(out) - len(s) - 1)
			continue
		}
		t.at[s] = uint32(len(out))
		out = append(append(out, s...), 0)
		previous = s
	}
	return out
}

// fromTheEnd compares two strings backwards; one that ends the other is the smaller.
func fromTheEnd(a, b string) int {
	for i := 1; ; i++ {
		switch {
		case i > len(a) && i > len(b):
			return 0
		case i > len(a):
			return -1
		case i > len(b):
			return 1
		}
		if x, y := a[len(a)-i], b[len(b)-i]; x != y {
			return int(x) - int(y)
		}
	}
}
