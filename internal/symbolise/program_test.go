package symbolise

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// testdata has crash.rs compiled for aarch64 by both backends:
//
//	rustc [-Zcodegen-backend=cranelift] --target SPEC -O -g -Ccodegen-units=1 -Cpanic=abort --remap-path-prefix=DIR=/build/src --emit obj crash.rs
//	rust-lld -flavor gnu -m aarch64elf --gc-sections -z max-page-size=4096 --image-base=0x400000
func open(t *testing.T, name string) *Program {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// LLVM's debug information tells what was inlined; Cranelift's has lines, and where something was inlined the function that it went into
// with the line of what was inlined.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		file string
		addr uint64
		want string
	}{
		{"crash.llvm.elf", 0x40112c, "core/src/ptr/mod.rs:2182 core::ptr::write_volatile::<u32> inlined; core/src/ptr/mut_ptr.rs:1458 <*mut u32>::write_volatile inlined; crash.rs:13 crash::deep::poke inlined; crash.rs:18 crash::deep::outer+0xc"},
		{"crash.llvm.elf", 0x401134, "crash.rs:20 crash::deep::outer+0x14"},
		{"crash.llvm.elf", 0x40113c, "crash.rs:24 _start+0x0"},
		{"crash.cranelift.elf", 0x401174, "core/src/ptr/mod.rs:2182 crash::deep::outer+0x0"},
		{"crash.cranelift.elf", 0x401180, "crash.rs:20 crash::deep::outer+0xc"},
		{"crash.cranelift.elf", 0x401190, "crash.rs:26 _start+0xc"},
		{"crash.llvm.elf", 0x400000, ""},
		{"crash.llvm.elf", 0x9999999, ""},
	} {
		var parts []string
		for _, f := range open(t, c.file).At(c.addr) {
			part := fmt.Sprintf("%s:%d %s", f.File[strings.LastIndex(f.File, "crash.rs")+strings.LastIndex(f.File, "core/src")+1:], f.Line, f.Function)
			if f.Inlined {
				part += " inlined"
			} else {
				part += fmt.Sprintf("+%#x", f.Offset)
			}
			parts = append(parts, part)
		}
		if got := strings.Join(parts, "; "); got != c.want {
			t.Errorf("%s %#x: got %q, want %q", c.file, c.addr, got, c.want)
		}
	}
}

func TestWhatIsNoProgramIsAnError(t *testing.T) {
	for _, text := range []string{"", "no ELF", "\x7fELF\x02\x01\x01"} {
		if _, err := Open(strings.NewReader(text)); err == nil {
			t.Errorf("%q was opened", text)
		}
	}
}
