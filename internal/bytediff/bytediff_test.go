package bytediff

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestPlainBytes(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"same", "same", ""},
		{"abc", "abd", `offset 2 (0x2): 63 "c" | 64 "d"`},
		{"abc", "ab", `offset 2 (0x2): 63 "c" | (end)`},
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
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Skip("the test itself is no ELF file here: ", err)
	}
	text := f.Section(".text")
	changed := bytes.Clone(program)
	changed[text.Offset+16] ^= 1
	if d, ok := First(program, changed); !ok || d.Where != "section .text+0x10" {
		t.Errorf("ELF: %v %s", ok, d.Where)
	}
	one := archive(map[string][]byte{"a-member-with-a-long-name.o": []byte("odd"), "second.o": program}, "a-member-with-a-long-name.o", "second.o")
	two := archive(map[string][]byte{"a-member-with-a-long-name.o": []byte("odd"), "second.o": changed}, "a-member-with-a-long-name.o", "second.o")
	if d, ok := First(one, two); !ok || d.Where != "member second.o, section .text+0x10" {
		t.Errorf("archive: %v %s", ok, d.Where)
	}
	two = archive(map[string][]byte{"a-member-with-a-long-name.o": []byte("oDd"), "second.o": program}, "a-member-with-a-long-name.o", "second.o")
	if d, ok := First(one, two); !ok || d.Where != "member a-member-with-a-long-name.o, offset 0x1 of it" {
		t.Errorf("archive: %v %s", ok, d.Where)
	}
}

func FuzzFirst(f *testing.F) {
	f.Add(archive(map[string][]byte{"x": []byte("1")}, "x"), []byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if _, ok := First(a, b); ok == bytes.Equal(a, b) {
			t.Error("wrong about equality")
		}
	})
}
