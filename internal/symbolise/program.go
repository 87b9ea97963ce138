// Package symbolise turns addresses of a program into functions, files and lines, and finds the addresses in the output of a guest.
//
// It owns the reading of symbol tables and DWARF, the forms in which kernels and std print registers and stacks, and which address belongs to
// whom. It must not know where programs lie, what ran a guest, nor how traces are shown.
//
// The forms are those of the Redox kernel (src/panic.rs, src/context/signal.rs, src/arch/aarch64/interrupt), of std's backtraces
// (library/std/src/backtrace_rs/print.rs) and of the demo's smoke kernel (recipes/demo/kernel/src/trap.rs).
package symbolise

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/ianlancetaylor/demangle"
)

// Program is an ELF file with what it knows of its own functions.
type Program struct {
	symbols []symbol // by address
	debug   *dwarf.Data
	code    [][2]uint64 // executable segments, begin and end
}

type symbol struct {
	addr, size uint64
	name       string
}

// Frame is a function that an address is in.
type Frame struct {
	Function string // demangled; "" where nothing has a name
	Offset   uint64 // bytes from the function's beginning; of the outermost frame of an address alone
	File     string // as the compiler wrote it; "" where there is no debug information
	Line     int    // from 1; 0 for unknown
	Inlined  bool   // into the frame that follows
}

// Open reads a program. One without debug information gives functions without lines; one without symbols is an error.
func Open(r io.ReaderAt) (*Program, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	p := &Program{}
	all, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("no symbol table: %w", err)
	}
	for _, s := range all {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Section != elf.SHN_UNDEF {
			p.symbols = append(p.symbols, symbol{s.Value, s.Size, s.Name})
		}
	}
	sort.SliceStable(p.symbols, func(i, j int) bool { return p.symbols[i].addr < p.symbols[j].addr })
	for _, seg := range f.Progs {
		if seg.Type == elf.PT_LOAD && seg.Flags&elf.PF_X != 0 {
			p.code = append(p.code, [2]uint64{seg.Vaddr, seg.Vaddr + seg.Memsz})
		}
	}
	if f.Section(".debug_info") != nil {
		if p.debug, err = f.DWARF(); err != nil {
			return nil, fmt.Errorf("debug information: %w", err)
		}
	}
	return p, nil
}

// Has tells whether an address is one of the program's code.
func (p *Program) Has(addr uint64) bool {
	return slices.ContainsFunc(p.code, func(c [2]uint64) bool { return addr >= c[0] && addr < c[1] })
}

// HasLines tells whether there is debug information.
func (p *Program) HasLines() bool { return p.debug != nil }

// At returns the functions that an address is in, the innermost first: those that were inlined there and then the one
// that they were inlined into. There are none where the program has no name for the address.
func (p *Program) At(addr uint64) []Frame {
	i := sort.Search(len(p.symbols), func(i int) bool { return p.symbols[i].addr > addr }) - 1
	outer := Frame{}
	if i >= 0 && (addr < p.symbols[i].addr+p.symbols[i].size || p.symbols[i].size == 0 && p.Has(addr)) {
		outer = Frame{Function: demangled(p.symbols[i].name), Offset: addr - p.symbols[i].addr}
	}
	frames := p.lines(addr)
	if len(frames) == 0 {
		if outer.Function == "" {
			return nil
		}
		return []Frame{outer}
	}
	last := &frames[len(frames)-1]
	if outer.Function != "" {
		last.Function = outer.Function
	}
	last.Offset = outer.Offset
	return frames
}

func demangled(name string) string { return demangle.Filter(name, demangle.NoClones) }

// lines are the frames that the debug information has, nil for none.
func (p *Program) lines(addr uint64) []Frame {
	if p.debug == nil {
		return nil
	}
	unit, err := p.debug.Reader().SeekPC(addr)
	if err != nil {
		return nil
	}
	lines, err := p.debug.LineReader(unit)
	if err != nil || lines == nil {
		return nil
	}
	var at dwarf.LineEntry
	if lines.SeekPC(addr, &at) != nil || at.File == nil {
		return nil
	}
	file, line := at.File.Name, at.Line
	var frames []Frame
	scopes := p.scopes(unit, addr)
	for i := len(scopes) - 1; i >= 0; i-- {
		inlined := scopes[i].Tag == dwarf.TagInlinedSubroutine
		frames = append(frames, Frame{Function: p.name(scopes[i]), File: file, Line: line, Inlined: inlined})
		if inlined {
			file, line = callSite(scopes[i], lines.Files())
		}
	}
	if len(frames) == 0 {
		frames = []Frame{{File: file, Line: line}}
	}
	return frames
}

// scopes are the functions around an address, the outermost first: one, and what is inlined in it there.
func (p *Program) scopes(unit *dwarf.Entry, addr uint64) []*dwarf.Entry {
	r := p.debug.Reader()
	r.Seek(unit.Offset)
	if _, err := r.Next(); err != nil {
		return nil
	}
	var found []*dwarf.Entry
	for depth := 1; depth > 0; {
		e, err := r.Next()
		if err != nil || e == nil {
			return found
		}
		if e.Tag == 0 {
			depth--
			if len(found) > 0 && depth == 0 {
				return found
			}
			continue
		}
		isFunction := e.Tag == dwarf.TagSubprogram || e.Tag == dwarf.TagInlinedSubroutine
		switch {
		case isFunction && p.covers(e, addr):
			found = append(found, e)
		case isFunction && e.Children:
			r.SkipChildren()
			continue
		}
		if e.Children {
			depth++
		}
	}
	return found
}

func (p *Program) covers(e *dwarf.Entry, addr uint64) bool {
	ranges, err := p.debug.Ranges(e)
	return err == nil && slices.ContainsFunc(ranges, func(r [2]uint64) bool { return addr >= r[0] && addr < r[1] })
}

// name is a function's, which an inlined one has in the entry it is a copy of.
func (p *Program) name(e *dwarf.Entry) string {
	for range 4 { // a copy of a copy of a declaration
		if name, ok := e.Val(dwarf.AttrLinkageName).(string); ok {
			return demangled(name)
		}
		of, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			of, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
		}
		if !ok {
			break
		}
		r := p.debug.Reader()
		r.Seek(of)
		next, err := r.Next()
		if err != nil || next == nil {
			break
		}
		e = next
	}
	name, _ := e.Val(dwarf.AttrName).(string)
	return name
}

// callSite is where an inlined function was called.
func callSite(e *dwarf.Entry, files []*dwarf.LineFile) (string, int) {
	index, _ := e.Val(dwarf.AttrCallFile).(int64)
	line, _ := e.Val(dwarf.AttrCallLine).(int64)
	if index < 0 || index >= int64(len(files)) || files[index] == nil {
		return "", int(line)
	}
	return files[index].Name, int(line)
}
