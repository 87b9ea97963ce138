package bytediff

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestPlainBytes(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"same", "same", ""},
		{"abc", "abd", `offset 2 (0x2), after "ab": "c" | "d"`},
		{"abc", "ab", `offset 2 (0x2), after "ab": "c" | (end)`},
		{"\x00\x01\x02", "\x00\x01\x03", `offset 2 (0x2): 02 "\x02" | 03 "\x03"`},
		{"\x00in /tmp/one/folder\x00", "\x00in /tmp/two\x00", `offset 9 (0x9), after "in /tmp/": "one/folder" | 74776f00 "two\x00"`},
		{"", "", ""},
	} {
		d, ok := First([]byte(c.a), []byte(c.b))
		if got := d.String(); ok && got != c.want || ok != (c.want != "") {
			t.Errorf("%q %q: got %s", c.a, c.b, got)
		}
	}
}

// archive makes an ar file with GNU long names.
func archive(members map[string][]byte, order ...string) []byte {
	var b bytes.Buffer
	b.WriteString(arMagic)
	var names strings.Builder
	index := map[string]string{}
	for _, name := range order {
		index[name] = fmt.Sprintf("/%d", names.Len())
		names.WriteString(name + "/\n")
	}
	put := func(name string, body []byte) {
		fmt.Fprintf(&b, "%-16s%-12s%-6s%-6s%-8s%-10d`\n", name, "0", "0", "0", "644", len(body))
		b.Write(body)
		if len(body)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	put("//", []byte(names.String()))
	for _, name := range order {
		put(index[name], members[name])
	}
	return b.Bytes()
}

func TestMembersAndSectionsAreNamed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(whole))
	if err != nil {
		t.Skip("the test itself is no ELF file here: ", err)
	}
	text := f.Section(".text")
	changed := bytes.Clone(whole)
	changed[text.Offset+16] ^= 1
	if d, ok := First(whole, changed); !ok || d.Where != "section .text+0x10" {
		t.Errorf("ELF: %v %s", ok, d.Where)
	}
	one := archive(map[string][]byte{"a-member-with-a-long-name.o": []byte("odd"), "second.o": whole}, "a-member-with-a-long-name.o", "second.o")
	two := archive(map[string][]byte{"a-member-with-a-long-name.o": []byte("odd"), "second.o": changed}, "a-member-with-a-long-name.o", "second.o")
	if d, ok := First(one, two); !ok || d.Where != "member second.o, section .text+0x10" {
		t.Errorf("archive: %v %s", ok, d.Where)
	}
	two = archive(map[string][]byte{"a-member-with-a-long-name.o": []byte("oDd"), "second.o": whole}, "a-member-with-a-long-name.o", "second.o")
	if d, ok := First(one, two); !ok || d.Where != "member a-member-with-a-long-name.o, offset 0x1 of it" {
		t.Errorf("archive: %v %s", ok, d.Where)
	}
}

// A longer member moves all that follows, and sizes in front of it: the text itself is what counts.
func TestWhatMadeTheHeadersDiffer(t *testing.T) {
	one := archive(map[string][]byte{"x.o": []byte("same"), "y.o": []byte("made in /home/a")}, "x.o", "y.o")
	two := archive(map[string][]byte{"x.o": []byte("same"), "y.o": []byte("made in /home/another")}, "x.o", "y.o")
	d, ok := First(one, two)
	if want := `member y.o, offset 0xf of it, after "made in /home/a": (end) | "nother"`; !ok || !strings.HasSuffix(d.String(), want) {
		t.Errorf("%s, want %s", d, want)
	}
	a, b := program("/build/a/x.rs"), program("/build/longer/x.rs")
	if at, _ := firstByte(a, b); at >= 64 {
		t.Fatalf("the headers are equal up to %d: this tests nothing", at)
	}
	d, ok = First(a, b)
	if want := `section .rodata+0x7, after "/build/": "a/x.rs" | "longer/x.rs"`; !ok || !strings.HasSuffix(d.String(), want) {
		t.Errorf("%s, want %s", d, want)
	}
}

// program is an ELF file with one section and, behind it, its section headers.
func program(text string) []byte {
	const header = 64
	names := "\x00.rodata\x00.shstrtab\x00"
	var b bytes.Buffer
	table := header + len(text) + len(names)
	write := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a bytes.Buffer takes everything
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Shoff: uint64(table), Ehsize: header, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	write(h)
	b.WriteString(text + names)
	write(elf.Section64{})
	write(elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: header, Size: uint64(len(text))})
	write(elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: uint64(header + len(text)), Size: uint64(len(names))})
	return b.Bytes()
}

func FuzzFirst(f *testing.F) {
	f.Add(archive(map[string][]byte{"x": []byte("1")}, "x"), []byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if _, ok := First(a, b); ok == bytes.Equal(a, b) {
			t.Error("wrong about equality")
		}
	})
}
