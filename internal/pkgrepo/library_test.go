package pkgrepo

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/pkgar"
)

// dynamicELF is the smallest file whose dynamic section names libraries.
func dynamicELF(t *testing.T, libraries ...string) []byte {
	t.Helper()
	names, dynamic := []byte{0}, []elf.Dyn64{}
	for _, l := range libraries {
		dynamic = append(dynamic, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(len(names))})
		names = append(append(names, l...), 0)
	}
	dynamic = append(dynamic, elf.Dyn64{})
	var body bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&body, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	const header = 64
	put(dynamic)
	namesAt := header + body.Len()
	put(names)
	sectionsAt := header + body.Len()
	put(elf.Section64{})
	put(elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: header, Size: uint64(len(dynamic) * 16), Link: 2, Entsize: 16})
	put(elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: uint64(namesAt), Size: uint64(len(names))})
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_AARCH64), Version: 1, Shoff: uint64(sectionsAt), Ehsize: header, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), body.Bytes()...)
}

func TestLibraries(t *testing.T) {
	vim := string(dynamicELF(t, "libc.so.6", "libncursesw.so.6"))
	for _, packaging := range []pkgar.Packaging{pkgar.Raw, pkgar.LZMA2} {
		dir := t.TempDir()
		p := textPkg(t, "vim", "1", "usr/bin/vim", vim, "usr/share/vim/syntax", "text", "usr/share/short", "\x7fE", "usr/share/fake", elf.ELFMAG+" but no program", "empty", "")
		p.Packaging = packaging
		publish(t, dir, 1, p, textPkg(t, "ncurses", "1", "usr/lib/libncursesw.so.6", "lib", "usr/share/libncursesw.so.7", "not a library"),
			textPkg(t, "big", "1", "lib/other", strings.Repeat("x", 1<<20)), Publishing{Name: "meta", Depends: []Name{"vim"}})
		server := httptest.NewServer(http.FileServer(http.Dir(dir)))
		defer server.Close()
		client := testClient(t, nil, server.URL)
		fetched, err := fetchAll(client, "meta")
		if err != nil {
			t.Fatal(err)
		}
		err = client.CheckLibraries(bg, fetched, nil)
		var all *multierror.Error
		if !errors.As(err, &all) || len(all.Errors) != 2 || !strings.Contains(err.Error(), "usr/bin/vim needs the library libc.so.6, which is not installed, and no package has it") {
			t.Errorf("error %v", err)
		}
		haveC := func(l string) bool { return l == "libc.so.6" }
		err = client.CheckLibraries(bg, fetched, haveC)
		if err == nil || err.Error() != `package vim: usr/bin/vim needs the library libncursesw.so.6, which is not installed; package "ncurses" has it` {
			t.Errorf("error %v", err)
		}
		heads, globErr := filepath.Glob(filepath.Join(client.config.CacheDir, "heads", "*"))
		if globErr != nil || len(heads) != 3 {
			t.Errorf("heads in the cache: %v, %v", heads, globErr)
		}
		for _, h := range heads {
			if info, err := os.Stat(h); err != nil || info.Size() > 4096 {
				t.Errorf("%s is more than a head, %v", h, err)
			}
		}
		config := client.config
		config.Offline = true
		offline, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := offline.CheckLibraries(bg, fetched, haveC); err == nil || !strings.Contains(err.Error(), `"ncurses" has it`) {
			t.Errorf("offline: %v", err)
		}
		with, err := fetchAll(client, "meta", "ncurses")
		if err != nil {
			t.Fatal(err)
		}
		if err := client.CheckLibraries(bg, with, haveC); err != nil {
			t.Errorf("with ncurses: %v", err)
		}
	}
}
