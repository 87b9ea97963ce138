package elfcheck

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dynamicFile is a file of three sections: none, the dynamic one, and its string table.
type dynamicFile struct {
	wide     bool
	header   elf.Header64
	sections [3]elf.Section64
	entries  []elf.Dyn64
	strings  string
}

// needing builds a file that needs libraries.
func needing(wide bool, libraries ...string) *dynamicFile {
	f := &dynamicFile{wide: wide, strings: "\x00"}
	for _, l := range libraries {
		f.entries = append(f.entries, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(len(f.strings))}, elf.Dyn64{Tag: int64(elf.DT_SONAME), Val: 1})
		f.strings += l + "\x00"
	}
	f.entries = append(f.entries, elf.Dyn64{}, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: 1}) // behind the end mark
	entry, section, class := 16, 64, elf.ELFCLASS64
	if !wide {
		entry, section, class = 8, 40, elf.ELFCLASS32
	}
	copy(f.header.Ident[:], elf.ELFMAG)
	f.header.Ident[elf.EI_CLASS], f.header.Ident[elf.EI_DATA], f.header.Ident[elf.EI_VERSION] = byte(class), byte(elf.ELFDATA2LSB), 1
	f.header.Version, f.header.Shoff, f.header.Shentsize, f.header.Shnum, f.header.Shstrndx = 1, 64, uint16(section), 3, 2
	f.sections[1] = elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: uint64(64 + 3*section), Size: uint64(len(f.entries) * entry), Link: 2}
	f.sections[2] = elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: f.sections[1].Off + f.sections[1].Size, Size: uint64(len(f.strings))}
	return f
}

func (f *dynamicFile) bytes() []byte {
	var out []byte
	put := func(wide, narrow any) {
		if !f.wide {
			wide = narrow
		}
		out, _ = binary.Append(out, binary.LittleEndian, wide)
	}
	h := f.header
	put(h, elf.Header32{Ident: h.Ident, Version: h.Version, Shoff: uint32(h.Shoff), Shentsize: h.Shentsize, Shnum: h.Shnum, Shstrndx: h.Shstrndx})
	out = append(out, make([]byte, 64-len(out))...)
	for _, s := range f.sections {
		put(s, elf.Section32{Type: s.Type, Off: uint32(s.Off), Size: uint32(s.Size), Link: s.Link})
	}
	for _, d := range f.entries {
		put(d, elf.Dyn32{Tag: int32(d.Tag), Val: uint32(d.Val)})
	}
	return append(out, f.strings...)
}

func TestNeeded(t *testing.T) {
	libraries := []string{"libc.so.6", "libz.so.1"}
	for name, test := range map[string]struct {
		edit func(*dynamicFile)
		want []string
		err  string // part of it
	}{
		"libraries":               {func(f *dynamicFile) {}, libraries, ""},
		"no end mark":             {func(f *dynamicFile) { f.sections[1].Size /= 3 }, libraries[:1], ""},
		"no dynamic section":      {func(f *dynamicFile) { f.sections[1].Type = uint32(elf.SHT_NOBITS) }, nil, ""},
		"no sections":             {func(f *dynamicFile) { f.header.Shnum = 0 }, nil, ""},
		"big-endian":              {func(f *dynamicFile) { f.header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB) }, nil, ""},
		"no class":                {func(f *dynamicFile) { f.header.Ident[elf.EI_CLASS] = 9 }, nil, ""},
		"not ELF":                 {func(f *dynamicFile) { f.header.Ident[0] = 0 }, nil, ""},
		"other section headers":   {func(f *dynamicFile) { f.header.Shentsize++ }, nil, ""},
		"section headers outside": {func(f *dynamicFile) { f.header.Shoff = 1 << 30 }, nil, ""},
		"it lies outside":         {func(f *dynamicFile) { f.sections[1].Off = 1 << 30 }, nil, "dynamic section: "},
		"its size wraps":          {func(f *dynamicFile) { f.sections[1].Size = ^uint64(0) - 8 }, nil, "end outside"},
		"half an entry":           {func(f *dynamicFile) { f.sections[1].Size = 12 }, nil, "unexpected EOF"},
		"no string table":         {func(f *dynamicFile) { f.sections[1].Link = 3 }, nil, "sh_link 3 of 3 sections"},
		"string table outside":    {func(f *dynamicFile) { f.sections[2].Off = ^uint64(0) }, nil, "string table: "},
		"name outside":            {func(f *dynamicFile) { f.entries[0].Val = uint64(len(f.strings)) }, nil, "a name at"},
		"name far outside":        {func(f *dynamicFile) { f.entries[0].Val = ^uint64(0) }, nil, "a name at"},
		"name without end":        {func(f *dynamicFile) { f.sections[2].Size-- }, nil, "does not end"},
	} {
		for _, wide := range []bool{true, false} {
			f := needing(wide, libraries...)
			test.edit(f)
			if !wide && name == "half an entry" {
				f.sections[1].Size /= 2
			}
			b := f.bytes()
			got, err := Needed(bytes.NewReader(b), int64(len(b)))
			if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s, 64 bits %t: error %v, libraries (-want +got):\n%s", name, wide, err, diff)
			}
		}
	}
	whole := needing(true, libraries...).bytes()
	for n := range whole {
		if got, err := Needed(bytes.NewReader(whole[:n]), int64(n)); err == nil && len(got) == len(libraries) {
			t.Errorf("all libraries of the first %d of %d bytes", n, len(whole))
		}
	}
}

// TestNeededHostile: what a file says of its sizes costs nothing, and neither do many long names.
func TestNeededHostile(t *testing.T) {
	claims := needing(true, "x")
	claims.sections[1].Size, claims.sections[2].Size = 1<<40, 1<<40
	names := needing(true, strings.Repeat("x", maxName-1))
	names.entries = slices.Repeat(names.entries[:1], maxNames*20)
	names.sections[1].Size = uint64(16 * len(names.entries))
	names.sections[2].Off = names.sections[1].Off + names.sections[1].Size
	sections := needing(true, strings.Repeat("x", 1<<23))
	sections.header.Shnum, sections.sections[1].Type = 1<<16-1, uint32(elf.SHT_NULL)
	for name, test := range map[string]struct {
		f    *dynamicFile
		size int64 // what the caller says
		want string
	}{
		"a terabyte":    {claims, 1 << 41, "EOF"},
		"many names":    {names, 0, "more than 1000 libraries"},
		"many sections": {sections, 0, ""},
	} {
		b := test.f.bytes()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Needed(bytes.NewReader(b), max(test.size, int64(len(b))))
		runtime.ReadMemStats(&after)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 10<<20 {
			t.Errorf("%s: %d bytes allocated for %d bytes of input", name, got, len(b))
		}
	}
}

// TestNeededAsDebugELF compares with the standard library's reader, which is for files one trusts.
func TestNeededAsDebugELF(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(sh)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if f, err := elf.NewFile(bytes.NewReader(b)); err == nil {
		if want, err = f.DynString(elf.DT_NEEDED); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Needed(bytes.NewReader(b), int64(len(b)))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s: %v (-want +got):\n%s", sh, err, diff)
	}
	t.Logf("%s needs %v", sh, got)
}
