package diskbuild

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// kernelFor is the smallest file that a boot loader maps: one segment that is the whole file.
func kernelFor(t *testing.T, machine elf.Machine) []byte {
	t.Helper()
	const size = 64 + 56
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Entry: elfcheck.KernelDelta, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	p := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: elfcheck.KernelDelta, Paddr: elfcheck.KernelDelta, Filesz: size, Memsz: size, Align: 4096}
	var out bytes.Buffer
	for _, part := range []any{h, p} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// A kernel is an ELF file for the machine, and one that can be mapped as the boot loader does it.
func TestCheckKernel(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	moved := kernelFor(t, elf.EM_AARCH64)
	binary.LittleEndian.PutUint64(moved[64+16:], elfcheck.KernelDelta+0x10000) // p_vaddr
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"text":        {[]byte(strings.Repeat("# a read-me\n", 10)), "format"},
		"empty":       {nil, "format"},
		"for another": {kernelFor(t, elf.EM_X86_64), "machine"},
		"elsewhere":   {moved, "flat"},
		"good":        {kernelFor(t, elf.EM_AARCH64), ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kernel")
			if err := os.WriteFile(file, tt.content, 0o644); err != nil {
				t.Fatal(err)
			}
			err := CheckKernel(s, file)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
