package difftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// object makes an object file: .text with the symbol f and a call of elsewhere.
func object(t *testing.T) []byte {
	t.Helper()
	const names = "\x00.text\x00.rela.text\x00.symtab\x00.strtab\x00"
	name := func(of string) uint32 { return uint32(strings.Index(names, "\x00"+of+"\x00") + 1) }
	const strs = "\x00f\x00elsewhere\x00$x\x00"
	var body bytes.Buffer
	put := func(data any) (offset, size uint64) {
		offset = 64 + uint64(body.Len())
		if err := binary.Write(&body, binary.LittleEndian, data); err != nil {
			t.Fatal(err)
		}
		return offset, 64 + uint64(body.Len()) - offset
	}
	sections := []elf.Section64{{}}
	section := func(s elf.Section64, data any) {
		s.Off, s.Size = put(data)
		sections = append(sections, s)
	}
	section(elf.Section64{Name: name(".text"), Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC | elf.SHF_EXECINSTR)}, make([]byte, 8))
	section(elf.Section64{Name: name(".rela.text"), Type: uint32(elf.SHT_RELA), Link: 3, Info: 1, Entsize: 24},
		[]elf.Rela64{{Off: 4, Info: elf.R_INFO(3, uint32(elf.R_AARCH64_CALL26))}})
	section(elf.Section64{Name: name(".symtab"), Type: uint32(elf.SHT_SYMTAB), Link: 4, Info: 2, Entsize: 24}, []elf.Sym64{
		{}, {Name: 13, Shndx: 1}, {Name: 1, Shndx: 1, Size: 8, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC)}, {Name: 3, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_NOTYPE)},
	})
	section(elf.Section64{Name: name(".strtab"), Type: uint32(elf.SHT_STRTAB)}, []byte(strs))
	section(elf.Section64{Name: name(".strtab"), Type: uint32(elf.SHT_STRTAB)}, []byte(names))
	at, _ := put(sections)
	header := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_AARCH64), Version: 1, Ehsize: 64, Shoff: at, Shentsize: 64, Shnum: uint16(len(sections)), Shstrndx: 5}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	var whole bytes.Buffer
	if err := binary.Write(&whole, binary.LittleEndian, header); err != nil {
		t.Fatal(err)
	}
	return append(whole.Bytes(), body.Bytes()...)
}

func TestList(t *testing.T) {
	got, err := List(object(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"relocation R_AARCH64_CALL26 elsewhere", "section .text: f", "size f 8", "undefined elsewhere"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := List([]byte("\x7fELF")); err == nil {
		t.Error("half a file was read")
	}
}

func TestObjectFaults(t *testing.T) {
	list := []string{"section .eh_frame:", "section .text: f"}
	o := Object{Has: []string{"^section .text: f$", "^undefined g$"}, HasNot: []string{"eh_frame", "GOT"}}
	if got, want := strings.Join(o.faults(list), "; "), `nothing matches "^undefined g$"; section .eh_frame:`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if faults := (&Object{Has: o.Has[:1], HasNot: o.HasNot[1:]}).faults(list); len(faults) > 0 {
		t.Errorf("%q", faults)
	}
}

func realExpected(t *testing.T) *Expected {
	t.Helper()
	text, err := os.ReadFile("../../recipes/difftest/expected.toml")
	if err != nil {
		t.Fatal(err)
	}
	e, err := ReadExpected("expected.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Each patch of the backend has a case that shows what it mends, and each case names a patch that is there.
func TestEveryPatchHasACase(t *testing.T) {
	e := realExpected(t)
	shown := map[string]bool{}
	for _, k := range e.Known {
		shown[k.Patch] = true
	}
	for _, d := range e.Defects {
		shown[d.Patch] = true
	}
	for _, o := range e.Objects {
		shown[o.Patch] = true
	}
	files, err := filepath.Glob("../../patches/cg_clif/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		if !shown[name] {
			t.Errorf("nothing in recipes/difftest/expected.toml shows what patches/cg_clif/%s.toml mends", name)
		}
		delete(shown, name)
	}
	for name := range shown {
		t.Errorf("recipes/difftest/expected.toml names the patch %s, which is not in patches/cg_clif", name)
	}
}

// Every program in objects/ is looked at.
func TestObjectsAreThoseOfTheFolder(t *testing.T) {
	var want []string
	for _, o := range realExpected(t).Objects {
		want = append(want, o.Name+".rs")
	}
	want = append(want, "core.rs")
	files, err := filepath.Glob("../../recipes/difftest/objects/*.rs")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, file := range files {
		have = append(have, filepath.Base(file))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}
