package toolchain

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pinned is a toolchain as rustup installs it, with the lock of what it is.
func pinned(t *testing.T) (*Toolchain, *Lock) {
	t.Helper()
	found, err := Open(fakeToolchain(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	found.Provider, found.Channel = FromRustup, "nightly-2026-01-02"
	lock := &Lock{}
	lock.Record(found.Channel, Version{Host: found.Host}, identityOf(t, found))
	return found, lock
}

func identityOf(t *testing.T, found *Toolchain) *Identity {
	t.Helper()
	identity, err := found.IdentifyAnew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func TestAChangedFileOfThePinIsNamed(t *testing.T) {
	rlib := "lib/rustlib/" + host + "/lib/libstd-1.rlib"
	for _, c := range []struct {
		change string
		do     func(dir string) error
		want   string
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"a program", func(dir string) error { return os.WriteFile(filepath.Join(dir, "bin/cargo"), []byte("x"), 0o755) }, "bin/cargo has changed\n"},
		{"a tool", func(dir string) error { return os.Remove(filepath.Join(dir, "lib/rustlib", host, "bin/llvm-nm")) }, "bin/llvm-nm is gone\n"},
		{"a library", func(dir string) error { return os.WriteFile(filepath.Join(dir, rlib), []byte("x"), 0o755) }, "(in it " + rlib + " did last)\n"},
		{"rust-src", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, sourceKey, "std/src/lib.rs"), []byte("x"), 0o755)
		}, sourceKey + " has changed (in it " + sourceKey + "/std/src/lib.rs did last)\n"},
		{"another component", func(dir string) error { return os.WriteFile(filepath.Join(dir, "lib/libmore.so"), nil, 0o755) }, ""},
	} {
		t.Run(c.change, func(t *testing.T) {
			found, lock := pinned(t)
			time.Sleep(20 * time.Millisecond) // a tick of the clock of the file system
			if err := c.do(found.Dir); err != nil {
				t.Fatal(err)
			}
			err := lock.Check(t.Context(), found, identityOf(t, found))
			if c.want == "" {
				if err != nil {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.As(err, new(*ChangedError)) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "rustup toolchain uninstall nightly-2026-01-02 && mage toolchain:install") {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

func TestOnlyWhatThePinInstalledIsHeldToTheLock(t *testing.T) {
	for name, other := range map[string]func(*Toolchain, *Lock){
		"a directory":     func(found *Toolchain, _ *Lock) { found.Provider = FromDirectory },
		"another channel": func(_ *Toolchain, lock *Lock) { lock.Channel = "nightly-2026-02-02" },
		"another host":    func(_ *Toolchain, lock *Lock) { lock.Host = nil },
	} {
		found, lock := pinned(t)
		if err := os.WriteFile(filepath.Join(found.Dir, "bin/rustc"), []byte("x"), 0o755); err != nil {
			t.Fatal(err)
		}
		other(found, lock)
		if err := lock.Check(t.Context(), found, identityOf(t, found)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is kept of the files may be wrong: nothing is called changed before they are read.
func TestAChangeIsReadBeforeItIsSaid(t *testing.T) {
	found, lock := pinned(t)
	if err := lock.Check(t.Context(), found, &Identity{Files: map[string]string{"bin/rustc": "other"}}); err != nil {
		t.Error(err)
	}
}
