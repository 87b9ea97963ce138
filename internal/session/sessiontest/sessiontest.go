package sessiontest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/session"
)

// New is a session in a folder of its own, with an empty cache, and what it prints as results.
func New(t *testing.T) (*session.Session, *bytes.Buffer) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a [b] *") // nobody's folder is a pattern
	cfg := &config.Config{Root: filepath.Join(dir, "checkout"), Cache: filepath.Join(dir, "cache"), Target: config.DefaultTarget}
	store, err := cas.Open(filepath.Join(cfg.Cache, "cas"))
	if err != nil {
		t.Fatal(err)
	}
	out := &bytes.Buffer{}
	return &session.Session{Config: cfg, Store: store, Streams: session.Streams{Out: out, Err: os.Stderr},
		Actions: action.OpenCache(filepath.Join(cfg.Cache, "actions")),
		Stats:   store.OpenStatCache(filepath.Join(cfg.State(), "stats")),
		History: graph.OpenHistory(filepath.Join(cfg.State(), "nodes"))}, out
}

// Ptr is a pointer to a value, for optional fields.
func Ptr[T any](v T) *T { return &v }

// InCheckout is a Session in an empty checkout, enough for what needs neither recipes nor a cache.
func InCheckout(t *testing.T, files map[string]string) *session.Session {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store, err := cas.Open(filepath.Join(root, "cache", "cas"))
	if err != nil {
		t.Fatal(err)
	}
	return &session.Session{Config: &config.Config{Root: root, Target: config.DefaultTarget}, Store: store, Streams: session.Streams{Out: &strings.Builder{}, Err: os.Stderr}}
}

// WriteFile replaces a file, as everything does that changes an installed system: its copies are hard links.
func WriteFile(t *testing.T, path, text string, perm os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil {
		t.Fatal(err)
	}
}

// DevNull is where nothing is read and all may be written, until the test ends.
func DevNull(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// DynamicProgram is the smallest file that needs a library.
func DynamicProgram(t *testing.T, library string) string {
	t.Helper()
	const header, dynamic = 64, 2 * 16
	names := "\x00" + library + "\x00"
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_AARCH64), Version: 1, Shoff: uint64(header + dynamic + len(names)),
		Ehsize: header, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	var out bytes.Buffer
	for _, part := range []any{
		h, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: 1}, elf.Dyn64{}, []byte(names), elf.Section64{},
		elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: header, Size: dynamic, Link: 2, Entsize: 16},
		elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: header + dynamic, Size: uint64(len(names))},
	} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}
