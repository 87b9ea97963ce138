package diskbuild

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// A kernel is an ELF file for the machine.
func TestCheckKernel(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	for at, v := range map[int]uint16{16: 2, 20: 1, 52: 64} { // type, version, header size
		binary.LittleEndian.PutUint16(header[at:], v)
	}
	tests := map[string]struct {
		content []byte
		machine uint16
		want    string
	}{
		"text":        {[]byte(strings.Repeat("# a read-me\n", 10)), 0, "bad magic"},
		"empty":       {nil, 0, "EOF"},
		"for another": {header, 62, "EM_X86_64"},
		"good":        {header, 183, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kernel")
			b := append([]byte(nil), tt.content...)
			if tt.machine != 0 {
				binary.LittleEndian.PutUint16(b[18:], tt.machine)
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
			err := CheckKernel(s, file)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
