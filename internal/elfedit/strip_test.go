package elfedit

import (
	"bytes"
	"debug/elf"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/test/wants"
)

// program is linked by Go, with symbols and debug information.
func program(t testing.TB, processor string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module m\n", "main.go": "package main\n\nfunc main() { println(\"x\") }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", "x", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOOS=linux", "GOARCH="+processor, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t *testing.T, data []byte) *elf.File {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// loaded is every segment's header, but for its offset, with its bytes.
func loaded(t *testing.T, data []byte) (all []elf.ProgHeader, contents []string) {
	t.Helper()
	for _, p := range open(t, data).Progs {
		b := make([]byte, p.Filesz)
		if _, err := io.ReadFull(p.Open(), b); err != nil {
			t.Fatal(err)
		}
		h := p.ProgHeader
		h.Off = 0
		// What stands in the file's own header is read by nobody once it runs.
		if p.Off == 0 {
			copy(b, make([]byte, 64))
		}
		all, contents = append(all, h), append(contents, string(b))
	}
	return all, contents
}

func names(f *elf.File) (all []string) {
	for _, s := range f.Sections[1:] {
		all = append(all, s.Name)
	}
	return all
}

var someNote = Section{Name: ".note.made", Data: []byte("\x04\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00abc\x00text")}

func TestWhatIsLoadedStays(t *testing.T) {
	for _, processor := range []string{"arm64", "amd64", "riscv64"} {
		data := program(t, processor)
		before := bytes.Clone(data)
		got, err := Strip(data, Options{What: All, Add: []Section{someNote}})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, before) {
			t.Error("the input was changed")
		}
		headers, contents := loaded(t, data)
		headersNow, contentsNow := loaded(t, got)
		if !slices.Equal(headers, headersNow) || !slices.Equal(contents, contentsNow) {
			t.Errorf("%s: another program is loaded: %v, before %v", processor, headersNow, headers)
		}
		f := open(t, got)
		for _, s := range f.Sections[1:] {
			if s.Flags&elf.SHF_ALLOC == 0 && s.Name != ".shstrtab" && s.Name != someNote.Name {
				t.Errorf("%s: section %s is left", processor, s.Name)
			}
		}
		note, err := f.Section(someNote.Name).Data()
		if err != nil || !bytes.Equal(note, someNote.Data) || f.Section(someNote.Name).Type != elf.SHT_NOTE {
			t.Errorf("%s: the note is %q, %v", processor, note, err)
		}
		again, err := Strip(got, Options{What: All, Keep: []string{someNote.Name}})
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: stripped once more it is another file: %v", processor, err)
		}
	}
}

func TestSymbolsStayWhereOnlyDebugInformationGoes(t *testing.T) {
	data := program(t, "arm64")
	got, err := Strip(data, Options{What: Debug})
	if err != nil {
		t.Fatal(err)
	}
	before, after := open(t, data), open(t, got)
	if !slices.ContainsFunc(names(before), isDebug) || slices.ContainsFunc(names(after), isDebug) {
		t.Errorf("sections are %q, before %q", names(after), names(before))
	}
	want, _ := before.Symbols()
	now, err := after.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(s elf.Symbol) bool { return elf.ST_TYPE(s.Info) == elf.STT_FILE })
	if len(want) < 100 || len(now) != len(want) {
		t.Fatalf("%d symbols, want %d", len(now), len(want))
	}
	for i := range now {
		a, b := now[i], want[i]
		inA, inB := "", ""
		if int(a.Section) < len(after.Sections) {
			inA, inB = after.Sections[a.Section].Name, before.Sections[b.Section].Name
		}
		a.Section, b.Section = 0, 0
		if a != b || inA != inB {
			t.Fatalf("symbol %d is %+v in %s, was %+v in %s", i, a, inA, b, inB)
		}
	}
}

func isDebug(name string) bool { return strings.HasPrefix(name, ".debug") }

// The tool whose place this takes gives the same bytes.
func TestLLVMGivesTheSameBytes(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(wants.Pin.On(t), "lib/rustlib/*/bin/llvm-objcopy"))
	if err != nil || len(found) != 1 {
		t.Fatalf("llvm-objcopy is at %q: %v", found, err)
	}
	dir := t.TempDir()
	file, note, out := filepath.Join(dir, "in"), filepath.Join(dir, "note"), filepath.Join(dir, "out")
	for _, processor := range []string{"arm64", "amd64", "riscv64"} {
		data := program(t, processor)
		for name, text := range map[string][]byte{file: data, note: someNote.Data} {
			if err := os.WriteFile(name, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, what := range []What{All, Debug} {
			args := []string{"--strip-" + string(what), "--keep-section=.comment", "--add-section=" + someNote.Name + "=" + note, file, out}
			if text, err := exec.Command(found[0], args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			want, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Strip(data, Options{What: what, Keep: []string{".comment"}, Add: []Section{someNote}})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: %d bytes, want %d: %v", processor, what, len(got), len(want), err)
			}
		}
	}
}

// small is a program of one segment, with two symbols and a section of debug information.
func small(t testing.TB) []byte {
	t.Helper()
	f := &file{data: make([]byte, 0x200)}
	copy(f.header.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	f.header.Type, f.header.Machine, f.header.Version = uint16(elf.ET_EXEC), uint16(elf.EM_AARCH64), 1
	f.header.Ehsize, f.header.Phentsize, f.header.Shentsize, f.header.Phnum, f.header.Phoff = 64, 56, 64, 1, 64
	load := &segment{Prog64: elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: 0x400000, Filesz: 0x200, Memsz: 0x300, Align: 0x1000}}
	f.segments = []*segment{load}
	f.own = [2]*segment{{index: 1, parent: load}, {index: 2, parent: load, Prog64: elf.Prog64{Off: 64}}}
	add := func(name string, kind elf.SectionType, data []byte) *section {
		s := &section{name: name, data: data}
		s.Type, s.Size, s.Addralign, s.Off = uint32(kind), uint64(len(data)), 1, lastOffset
		f.sections = append(f.sections, s)
		return s
	}
	code := add(".text", elf.SHT_PROGBITS, make([]byte, 0x100))
	code.parent, code.Off, code.Flags = load, 0x100, uint64(elf.SHF_ALLOC|elf.SHF_EXECINSTR)
	add(".comment", elf.SHT_PROGBITS, []byte("a compiler\x00"))
	debug := add(".debug_info", elf.SHT_PROGBITS, make([]byte, 40))
	symbols := add(".symtab", elf.SHT_SYMTAB, nil)
	symbols.Entsize, symbols.Addralign = elf.Sym64Size, 8
	f.names = add(".shstrtab", elf.SHT_STRTAB, nil)
	symbols.link = add(".strtab", elf.SHT_STRTAB, nil)
	symbols.symbols = []symbol{
		{name: "main.rs", Sym64: elf.Sym64{Info: uint8(elf.STT_FILE), Shndx: uint16(elf.SHN_ABS)}},
		{Sym64: elf.Sym64{Info: uint8(elf.STT_SECTION)}, in: debug},
		{name: "_start", Sym64: elf.Sym64{Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Value: 0x400100}, in: code},
	}
	if err := f.tables(); err != nil {
		t.Fatal(err)
	}
	if err := f.layout(1 << 20); err != nil {
		t.Fatal(err)
	}
	return f.write()
}

func TestSmallProgram(t *testing.T) {
	got, err := Strip(small(t), Options{What: Debug})
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, got)
	symbols, err := f.Symbols()
	if err != nil || len(symbols) != 1 || symbols[0].Name != "_start" || symbols[0].Section != 1 {
		t.Errorf("%+v, %v", symbols, err)
	}
	if want := []string{".text", ".comment", ".symtab", ".shstrtab", ".strtab"}; !slices.Equal(names(f), want) {
		t.Errorf("%q, want %q", names(f), want)
	}
}

func TestWhatCannotBeStrippedIsAnError(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func([]byte) []byte
		want  string
	}{
		"text":                {func([]byte) []byte { return []byte("#!/bin/sh\n") }, "not an ELF file"},
		"cut":                 {func(b []byte) []byte { return b[:0x180] }, "segment 0: 512 bytes at 0x0"},
		"cut in the header":   {func(b []byte) []byte { return b[:40] }, "the ELF header"},
		"32 bits":             {func(b []byte) []byte { b[elf.EI_CLASS] = 1; return b }, "want 64 bits, little-endian"},
		"an object":           {func(b []byte) []byte { b[16], b[56] = byte(elf.ET_REL), 0; return b }, "want a linked file"},
		"no sections":         {func(b []byte) []byte { b[60], b[61] = 0, 0; return b }, "1 segments and 0 sections"},
		"names nowhere":       {func(b []byte) []byte { b[62] = 99; return b }, "e_shstrndx: 99"},
		"a giant alignment":   {func(b []byte) []byte { b[64+48+1], b[64+48+7] = 0, 0x40; b[64+16+2] = 0x41; return b }, "would make a file of"},
		"an odd alignment":    {func(b []byte) []byte { b[64+48] = 3; return b }, "no power of two"},
		"a kept symbol table": {func(b []byte) []byte { return b }, "needs section .strtab, which does not"},
	} {
		o := Options{What: All}
		if name == "a kept symbol table" {
			o.Keep = []string{".symtab"}
		}
		_, err := Strip(test.spoil(small(t)), o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// Whatever is damaged: a file or an error, never a panic, and never much more than went in.
func TestDamagedFiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	whole := small(t)
	for range 20_000 {
		data := bytes.Clone(whole)
		for range 1 + random.IntN(4) {
			data[random.IntN(len(data))] = byte(random.Uint32())
		}
		stripAnyhow(t, data[:len(data)-random.IntN(2)*random.IntN(len(data))])
	}
}

func FuzzStrip(f *testing.F) {
	f.Add(small(f))
	f.Fuzz(func(t *testing.T, data []byte) { stripAnyhow(t, data) })
}

func stripAnyhow(t *testing.T, data []byte) {
	t.Helper()
	for _, what := range []What{All, Debug} {
		out, err := Strip(data, Options{What: what, Keep: []string{".comment"}, Add: []Section{someNote}})
		if err == nil && len(out) > 8*len(data)+2*slack {
			t.Fatalf("%d bytes became %d", len(data), len(out))
		}
	}
	if defined, err := Defined(data); err == nil && len(defined) > 0 {
		_, _ = Rename(data, map[string]string{defined[0]: "another name"})
	}
}
