package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
)

// A clang is asked once, and again when another program takes its place: also one with the same size and time.
func TestClangIsAskedAgainWhenItIsAnother(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	asked := filepath.Join(t.TempDir(), "asked")
	install := func(version string) {
		t.Helper()
		path := filepath.Join(bin, "clang")
		old, err := os.Stat(path)
		script := fmt.Sprintf("#!/bin/sh\necho x >> %s\necho 'clang version %s'\necho more\n", asked, version)
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			if err := os.Chtimes(path, old.ModTime(), old.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask := func(want string, times int) {
		t.Helper()
		s := &Session{Config: &config.Config{Cache: cache, Path: bin + ":/usr/bin:/bin"}}
		got := s.clang(t.Context())
		log, _ := os.ReadFile(asked)
		if got.Identity != want || got.Path != filepath.Join(bin, "clang") || strings.Count(string(log), "x") != times {
			t.Errorf("%+v after %q, want %q and %d", got, log, want, times)
		}
	}
	install("22.1")
	ask("clang version 22.1", 1)
	ask("clang version 22.1", 1)
	install("22.2")
	ask("clang version 22.2", 2)
	ask("clang version 22.2", 2)
	// A power failure may have left half of what was kept.
	kept := filepath.Join(cache, "toolchains", "clang")
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, text[:len(text)-3], 0o644); err != nil {
		t.Fatal(err)
	}
	ask("clang version 22.2", 3)
}
