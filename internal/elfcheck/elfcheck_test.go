package elfcheck

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fake builds small ELF files: one text segment with 64 bytes at file offset
// 0x1000, and whatever the test adds.
type fake struct {
	header   elf.Header64
	progs    []elf.Prog64
	sections []fakeSection
	symbols  []fakeSymbol
	code     []byte
}

type fakeSection struct {
	name  string
	kind  elf.SectionType
	flags elf.SectionFlag
	data  []byte
	// loaded is where it is said to be, for one that is loaded.
	loaded *elf.Section64
}

// at is a loaded section of the code.
func at(kind elf.SectionType, addr, off, size uint64) fakeSection {
	return fakeSection{".got", kind, elf.SHF_ALLOC, nil, &elf.Section64{Addr: addr, Off: off, Size: size}}
}

type fakeSymbol struct {
	name  string
	bind  elf.SymBind
	kind  elf.SymType
	shndx uint16
	value uint64
}

const (
	progVaddr   = 0x400000 + 0x1000
	bootVaddr   = 0x3000
	codeOffset  = 0x1000
	codeSize    = 0x1000
	definedHere = 1
)

func program() *fake {
	return &fake{
		header: elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Entry: progVaddr + 8},
		progs:  []elf.Prog64{{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: codeOffset, Vaddr: progVaddr, Filesz: codeSize, Memsz: codeSize, Align: 0x1000}},
		symbols: []fakeSymbol{
			{"crt0.1234-cgu.0", elf.STB_LOCAL, elf.STT_FILE, uint16(elf.SHN_ABS), 0},
			{"_start", elf.STB_GLOBAL, elf.STT_FUNC, definedHere, progVaddr + 8},
		},
	}
}

func bootstrap() *fake {
	f := program()
	f.progs[0].Vaddr, f.header.Entry, f.symbols[1].value = bootVaddr, bootVaddr+8, bootVaddr+8
	return f
}

func (f *fake) bytes() []byte {
	body := make([]byte, codeOffset+codeSize)
	copy(body[codeOffset:], f.code)
	var raw []elf.Section64
	names := []byte{0}
	add := func(name string, kind elf.SectionType, flags elf.SectionFlag, link uint32, data []byte) {
		raw = append(raw, elf.Section64{Name: uint32(len(names)), Type: uint32(kind), Flags: uint64(flags), Off: uint64(len(body)), Size: uint64(len(data)), Link: link})
		names = append(append(names, name...), 0)
		body = append(body, data...)
	}
	add("", elf.SHT_NULL, 0, 0, nil)
	if f.symbols != nil {
		strs, syms := []byte{0}, make([]byte, elf.Sym64Size)
		for _, s := range f.symbols {
			syms, _ = binary.Append(syms, binary.LittleEndian, elf.Sym64{Name: uint32(len(strs)), Info: elf.ST_INFO(s.bind, s.kind), Shndx: s.shndx, Value: s.value})
			strs = append(append(strs, s.name...), 0)
		}
		add(".symtab", elf.SHT_SYMTAB, 0, 2, syms)
		add(".strtab", elf.SHT_STRTAB, 0, 0, strs)
	}
	for _, s := range f.sections {
		add(s.name, s.kind, s.flags, 0, s.data)
		if last := &raw[len(raw)-1]; s.loaded != nil {
			last.Addr, last.Off, last.Size = s.loaded.Addr, s.loaded.Off, s.loaded.Size
		}
	}
	names = append(append(names, ".shstrtab"...), 0)
	raw = append(raw, elf.Section64{Name: uint32(len(names) - 10), Type: uint32(elf.SHT_STRTAB), Off: uint64(len(body)), Size: uint64(len(names))})
	body = append(body, names...)

	h := f.header
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	h.Ehsize, h.Phentsize, h.Shentsize = 64, 56, 64
	h.Phoff, h.Phnum = 64, uint16(len(f.progs))
	h.Shoff, h.Shnum, h.Shstrndx = uint64(len(body)), uint16(len(raw)), uint16(len(raw)-1)
	body, _ = binary.Append(body, binary.LittleEndian, raw)
	head, _ := binary.Append(nil, binary.LittleEndian, h)
	head, _ = binary.Append(head, binary.LittleEndian, f.progs)
	copy(body, head)
	return body
}

func check(b []byte, rules Rules) *Report { return Check(bytes.NewReader(b), int64(len(b)), rules) }

func TestRules(t *testing.T) {
	user, boot := Program(elf.EM_AARCH64), Bootstrap(elf.EM_AARCH64)
	unstripped := user
	unstripped.NeedSymbols = true
	stp, ret := []byte{0xfd, 0x7b, 0xbf, 0xa9}, []byte{0xc0, 0x03, 0x5f, 0xd6}
	tests := []struct {
		name  string
		base  func() *fake
		rules Rules
		edit  func(*fake)
		want  []string // "rule: part of the message"
	}{
		{"program", program, unstripped, func(f *fake) {}, nil},
		{"bootstrap", bootstrap, boot, func(f *fake) {}, nil},
		{"kernel", program, Kernel(elf.EM_AARCH64), func(f *fake) {
			f.progs[0].Vaddr = KernelDelta + codeOffset
			f.header.Entry, f.symbols = KernelDelta+codeOffset, nil
		}, nil},
		{"machine", program, Program(elf.EM_X86_64), func(f *fake) {}, []string{"machine: EM_AARCH64, want EM_X86_64"}},
		{"PIE", program, user, func(f *fake) { f.header.Type = uint16(elf.ET_DYN) }, []string{"exec: position-independent"}},
		{"object", program, user, func(f *fake) { f.header.Type = uint16(elf.ET_REL) }, []string{"exec: ET_REL"}},
		{"interpreter", program, user, func(f *fake) {
			f.code = append(make([]byte, 16), "/lib/ld64.so.1\x00"...)
			f.progs = append(f.progs, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: codeOffset + 16, Filesz: 15})
		}, []string{`static: asks for the dynamic loader "/lib/ld64.so.1"`}},
		{"needed", program, user, func(f *fake) {
			f.code, _ = binary.Append(nil, binary.LittleEndian, []uint64{uint64(elf.DT_NEEDED), 1, uint64(elf.DT_FLAGS_1), uint64(elf.DF_1_PIE), 0, 0, uint64(elf.DT_NEEDED), 1})
			f.progs = append(f.progs, elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Off: codeOffset, Filesz: 64})
		}, []string{"static: needs the shared library", "exec: position-independent (DF_1_PIE)"}},
		{"entry nowhere", program, user, func(f *fake) { f.header.Entry, f.symbols = ^uint64(0), nil }, []string{"entry: 0xffffffffffffffff is in no loaded segment"}},
		{"entry in data", program, user, func(f *fake) { f.progs[0].Flags = uint32(elf.PF_R | elf.PF_W) }, []string{"entry: 0x401008 is in a segment that is not executable"}},
		{"entry in bss", program, user, func(f *fake) {
			f.progs[0].Memsz += 0x1000
			f.header.Entry, f.symbols = progVaddr+codeSize, nil
		}, []string{"entry: 0x402000 is in no loaded"}},
		{"entry not _start", program, user, func(f *fake) { f.header.Entry += 4 }, []string{"entry: 0x40100c is not _start, 0x401008"}},
		{"nothing to load", program, user, func(f *fake) { f.progs = nil }, []string{"segments: nothing", "entry:"}},
		{"outside the file", program, user, func(f *fake) { f.progs[0].Filesz, f.progs[0].Memsz = 1<<40, 1<<40 }, []string{"segments: PT_LOAD at 0x401000: 0x10000000000 bytes"}},
		{"filesz over memsz", program, user, func(f *fake) { f.progs[0].Memsz-- }, []string{"segments: PT_LOAD at 0x401000: 0x1000 bytes in the file"}},
		{"address wraps", program, user, func(f *fake) { f.progs[0].Memsz = ^uint64(0) }, []string{"do not fit the address space"}},
		{"alignment", program, user, func(f *fake) { f.progs[0].Align = 0x1800 }, []string{"no power of two"}},
		{"page offset", program, user, func(f *fake) { f.progs[0].Off -= 8; f.progs[0].Vaddr -= 0 }, []string{"segments: PT_LOAD at 0x401000: cannot be mapped by pages of 4096"}},
		{"shared page", program, user, func(f *fake) {
			p := f.progs[0]
			p.Flags, p.Vaddr, p.Off, p.Filesz = uint32(elf.PF_R), progVaddr+0xf00, codeOffset+0xf00, 8
			f.progs = append(f.progs, p)
			f.progs[0].Filesz, f.progs[0].Memsz = 0x800, 0x800
		}, []string{"share a page"}},
		{"bootstrap elsewhere", program, boot, func(f *fake) {}, []string{"flat: PT_LOAD at 0x401000: p_vaddr - p_offset is 0x400000, want 0x2000"}},
		{"bootstrap with bss", bootstrap, boot, func(f *fake) { f.progs[0].Memsz++ }, []string{"flat: PT_LOAD at 0x3000: 0x1000 bytes in the file, 0x1001 in memory"}},
		{"section in its place", program, user, func(f *fake) { f.sections = []fakeSection{at(elf.SHT_PROGBITS, progVaddr+0x20, codeOffset+0x20, 8)} }, nil},
		{"section elsewhere in the file", program, user, func(f *fake) {
			f.sections = []fakeSection{at(elf.SHT_PROGBITS, progVaddr+0x20, codeOffset+0x40, 8)}
		}, []string{"placement: section .got lies 0x40 bytes into its segment in the file and 0x20 in memory"}},
		{"bytes behind the file's part", program, user, func(f *fake) {
			f.progs[0].Memsz += 0x1000
			f.sections = []fakeSection{at(elf.SHT_PROGBITS, progVaddr+codeSize, codeOffset+codeSize, 8)}
		}, []string{"placement: section .got at 0x402000 has bytes behind the end"}},
		{"zeros behind the file's part", program, user, func(f *fake) {
			f.progs[0].Memsz += 0x1000
			f.sections = []fakeSection{at(elf.SHT_NOBITS, progVaddr+codeSize, codeOffset+codeSize, 8)}
		}, nil},
		{"section in no segment", program, user, func(f *fake) {
			f.sections = []fakeSection{at(elf.SHT_PROGBITS, progVaddr-8, codeOffset-8, 8)}
		}, []string{"placement: section .got at 0x400ff8 is in no loaded segment"}},
		{"section over the end", program, user, func(f *fake) {
			f.sections = []fakeSection{at(elf.SHT_PROGBITS, progVaddr+codeSize-4, codeOffset+codeSize-4, 8)}
		}, []string{"placement: section .got at 0x401ffc has 0x8 bytes, and its segment ends after 0x4"}},
		{"written and executed", program, user, func(f *fake) { f.progs[0].Flags |= uint32(elf.PF_W) }, []string{"permissions: PT_LOAD at 0x401000 is writable and executable"}},
		{"undefined", program, user, func(f *fake) {
			f.symbols = append(f.symbols, fakeSymbol{"open", elf.STB_GLOBAL, elf.STT_NOTYPE, 0, 0}, fakeSymbol{"abs", elf.STB_GLOBAL, elf.STT_NOTYPE, 0, 0})
		}, []string{"undefined: abs, open"}},
		{"weak undefined", program, user, func(f *fake) {
			f.symbols = append(f.symbols, fakeSymbol{"__gmon_start__", elf.STB_WEAK, elf.STT_NOTYPE, 0, 0})
		}, nil},
		{"stripped is fine", program, user, func(f *fake) { f.symbols = nil }, nil},
		{"stripped is not", program, unstripped, func(f *fake) { f.symbols = nil }, []string{"symbols: stripped"}},
		{"crt0 twice", program, user, func(f *fake) { f.symbols = append(f.symbols, f.symbols[0]) }, []string{"crt-once: crt0.o is linked 2 times"}},
		{"init once", program, user, func(f *fake) {
			f.sections = []fakeSection{{".init", elf.SHT_PROGBITS, 0, append(bytes.Clone(stp), ret...), nil}}
		}, nil},
		{"init twice", program, user, func(f *fake) {
			f.sections = []fakeSection{{".init", elf.SHT_PROGBITS, 0, bytes.Repeat(append(bytes.Clone(stp), ret...), 2), nil}}
		}, []string{"crt-once: .init begins 2 times", "crt-once: .init returns 2 times"}},
		{"x86 fini twice", program, Program(elf.EM_X86_64), func(f *fake) {
			f.header.Machine = uint16(elf.EM_X86_64)
			f.sections = []fakeSection{{".fini", elf.SHT_PROGBITS, 0, bytes.Repeat([]byte{0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3}, 2), nil}}
		}, []string{"crt-once: .fini begins 2", "crt-once: .fini returns 2"}},
		{"compressed", program, user, func(f *fake) {
			f.sections = []fakeSection{{".comment", elf.SHT_PROGBITS, elf.SHF_COMPRESSED, []byte("x"), nil}}
		}, []string{`format: section ".comment" is compressed`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.base()
			tt.edit(f)
			rep := check(f.bytes(), tt.rules)
			if len(rep.Findings) != len(tt.want) {
				t.Errorf("findings %v, want %d", rep.Findings, len(tt.want))
			}
			if (rep.Err() != nil) != (len(tt.want) > 0) {
				t.Errorf("Err() = %v", rep.Err())
			}
			for _, w := range tt.want {
				rule, msg, _ := strings.Cut(w, ":")
				hit := false
				for _, g := range rep.Findings {
					hit = hit || string(g.Rule) == rule && strings.Contains(g.Error(), strings.TrimSpace(msg)) || strings.Contains(g.Msg, w)
				}
				if !hit {
					t.Errorf("no finding %q in %v", w, rep.Findings)
				}
			}
		})
	}
}

func TestReport(t *testing.T) {
	f := program()
	f.symbols = append(f.symbols, fakeSymbol{"w2", elf.STB_WEAK, 0, 0, 0}, fakeSymbol{"w1", elf.STB_WEAK, 0, 0, 0})
	note := Note{Name: "redox-clif", Type: 1, Desc: []byte("cranelift")}
	f.sections = []fakeSection{
		{".comment", elf.SHT_PROGBITS, 0, []byte("rustc version 1.94.0\x00Linker: LLD 21.1\x00"), nil},
		{".note.redox-clif", elf.SHT_NOTE, 0, append(Note{Name: "GNU", Type: 3, Desc: []byte{1, 2}}.Encode(), note.Encode()...), nil},
	}
	b := f.bytes()
	rep := check(b, Program(elf.EM_AARCH64))
	if diff := cmp.Diff([]string{"w1", "w2"}, rep.WeakUndefined); diff != "" {
		t.Error(diff)
	}
	want := Provenance{
		Comments: []string{"rustc version 1.94.0", "Linker: LLD 21.1"},
		Notes:    []Note{{"GNU", 3, []byte{1, 2}}, note},
	}
	if diff := cmp.Diff(want, rep.Provenance); diff != "" {
		t.Error(diff)
	}
	if got, ok := rep.Provenance.Find("redox-clif"); !ok || string(got.Desc) != "cranelift" {
		t.Errorf("Find: %v %v", got, ok)
	}
	p, err := ReadProvenance(bytes.NewReader(b), int64(len(b)))
	if diff := cmp.Diff(want, p); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if rep.Entry != progVaddr+8 || rep.Stripped {
		t.Errorf("entry %#x, stripped %v", rep.Entry, rep.Stripped)
	}
}

func TestNotELF(t *testing.T) {
	swap := func(at int, v byte) []byte { b := program().bytes(); b[at] = v; return b }
	tests := map[string]struct {
		b    []byte
		want string
	}{
		"empty":          {nil, "not an ELF"},
		"script":         {[]byte("#!/bin/sh\nexit 0 0000000000"), "not an ELF"},
		"32 bits":        {swap(4, 1), "ELFCLASS32"},
		"big-endian":     {swap(5, 2), "ELFDATA2MSB"},
		"cut header":     {program().bytes()[:40], "ELF header"},
		"cut sections":   {program().bytes()[:0x2010], "section headers"},
		"phentsize":      {swap(54, 32), "e_phentsize: 32"},
		"shentsize":      {swap(58, 40), "e_shentsize: 40"},
		"many sections":  {swap(60, 0), "e_shnum"},
		"far prog table": {swap(36, 1), "program headers"},
	}
	for name, tt := range tests {
		rep := check(tt.b, Program(elf.EM_AARCH64))
		if len(rep.Findings) != 1 || rep.Findings[0].Rule != RuleFormat || !strings.Contains(rep.Findings[0].Msg, tt.want) {
			t.Errorf("%s: findings %v, want %q", name, rep.Findings, tt.want)
		}
	}
	if _, err := CheckFile("does-not-exist", Rules{}); !os.IsNotExist(err) {
		t.Errorf("error %v", err)
	}
}

// TestThisBinary runs the decoder over a real, large, linked program.
func TestThisBinary(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("wants a linux/amd64 test binary")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rep, err := CheckFile(exe, Program(elf.EM_AARCH64))
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Findings) == 0 || rep.Findings[0].Rule != RuleMachine || rep.Entry == 0 {
		t.Errorf("findings %v", rep.Findings)
	}
}

func TestCheckLinkLine(t *testing.T) {
	tests := []struct {
		name string
		argv []string
		want []string
	}{
		{"once", []string{"ld.lld", "/s/lib/crt0.o", "crti.o", "a.o", "crtn.o"}, nil},
		{"wrapped", []string{"cc", "-Wl,/s/crt0.o,/s/crti.o", "-Clink-arg=x.o", "-Clink-arg=/s/crtn.o"}, nil},
		{"twice", []string{"/a/crt0.o", "crti.o", "/b/crt0.o", "crtn.o"}, []string{"crt0.o is on the link line 2 times (arguments 0 2)"}},
		{"missing", []string{"crt0.o"}, []string{"crti.o is missing", "crtn.o is missing"}},
		{"order", []string{"crtn.o", "crt0.o", "crti.o"}, []string{"crtn.o comes before"}},
		{"response file", []string{"@args", "crt0.o", "crti.o", "crtn.o"}, []string{"@args was not expanded"}},
		{"similar names", []string{"crt0.o", "crti.o", "mycrt0.o", "crt0.o.d", "crtn.o"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := CheckLinkLine(tt.argv)
			if len(got) != len(tt.want) {
				t.Fatalf("findings %v, want %q", got, tt.want)
			}
			for i, w := range tt.want {
				if got[i].Rule != RuleCRT || !strings.Contains(got[i].Msg, w) {
					t.Errorf("finding %v, want %q", got[i], w)
				}
			}
		})
	}
}

func TestMachineOf(t *testing.T) {
	if m, err := MachineOf("aarch64"); m != elf.EM_AARCH64 || err != nil {
		t.Error(m, err)
	}
	if _, err := MachineOf("riscv64"); err == nil {
		t.Error("riscv64 accepted")
	}
}

// FuzzCheck: no panic, and no allocation the input does not justify.
func FuzzCheck(f *testing.F) {
	small := program()
	small.sections = []fakeSection{{".note.x", elf.SHT_NOTE, 0, Note{Name: "x", Desc: []byte("y")}.Encode(), nil}, {".comment", elf.SHT_PROGBITS, 0, []byte("c\x00"), nil}, {".init", elf.SHT_PROGBITS, 0, make([]byte, 8), nil}}
	f.Add(small.bytes())
	f.Add(bootstrap().bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		for _, rules := range []Rules{Program(elf.EM_AARCH64), Bootstrap(elf.EM_X86_64)} {
			runtime.ReadMemStats(&before)
			check(b, rules)
			runtime.ReadMemStats(&after)
			if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+100*len(b)); got > limit {
				t.Errorf("%d bytes allocated for %d bytes of input", got, len(b))
			}
		}
	})
}

// TestHostileNames: every symbol and section names the same long string.
func TestHostileNames(t *testing.T) {
	f := program()
	long := strings.Repeat("x", 200_000)
	f.symbols = []fakeSymbol{{long, elf.STB_GLOBAL, 0, 0, 0}}
	for range 20_000 {
		f.symbols = append(f.symbols, fakeSymbol{"", elf.STB_GLOBAL, 0, 0, 0})
	}
	b := f.bytes()
	sym := binary.LittleEndian.Uint64(b[binary.LittleEndian.Uint64(b[0x28:])+64+24:]) // .symtab's offset
	for i := range 20_000 {
		binary.LittleEndian.PutUint32(b[sym+uint64(i+2)*elf.Sym64Size:], uint32(1+i))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rep := check(b, Program(elf.EM_AARCH64))
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 20<<20 {
		t.Errorf("%d bytes allocated for %d bytes of input", got, len(b))
	}
	if len(rep.Findings) != 1 || rep.Findings[0].Rule != RuleUndefined || len(rep.Findings[0].Msg) > 100_000 {
		t.Errorf("%d findings", len(rep.Findings))
	}
}
