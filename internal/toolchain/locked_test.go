package toolchain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/targetspec"
)

// refusing answers as a compiler that can do nothing.
func refusing(_ context.Context, argv ...string) ([]byte, []byte, error) {
	all := strings.Join(argv, " ")
	switch {
	case strings.HasSuffix(all, "rustc -vV"):
		return []byte("release: 1.80.0-nightly\nhost: " + host + "\ncommit-hash: 1\n"), nil, nil
	case strings.HasSuffix(all, "cargo -V"):
		return []byte("cargo 1.80.0\n"), nil, nil
	case strings.Contains(all, "target-spec-json"):
		return []byte(`{"target-pointer-width": "64"}`), nil, nil
	case strings.Contains(all, "--print=cfg"), strings.HasSuffix(all, "-Zhelp"):
		return nil, nil, nil
	}
	return nil, []byte("error: no"), errors.New("exit status 1")
}

// A machine with the lock alone knows the same of the toolchain as one that has it.
func TestTheLockStandsForTheToolchain(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the fake toolchain is of x86_64 Linux")
	}
	const channel = "nightly-2026-01-02"
	home := t.TempDir()
	found, err := Open(fakeToolchain(t, filepath.Join(home, "toolchains", channel+"-"+host)))
	if err != nil {
		t.Fatal(err)
	}
	found.Provider, found.Channel = FromRustup, channel
	spec, err := targetspec.Load(os.DirFS("../../targets"), "aarch64-unknown-redox-clif")
	if err != nil {
		t.Fatal(err)
	}
	identity := identityOf(t, found)
	caps, err := found.Probe(t.Context(), refusing, identity, spec, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pin := &Pin{}
	pin.Toolchain.Channel = channel
	installed := &Installed{Pin: pin, Toolchain: found, Version: &caps.Version, Identity: identity, Spec: spec, Caps: caps}
	path, pinPath := filepath.Join(t.TempDir(), "lock.toml"), filepath.Join(t.TempDir(), "pin.toml")
	if err := os.WriteFile(pinPath, []byte("[toolchain]\nchannel = \""+channel+"\"\n[expected]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := installed.LockInstalled(t.Context(), path, pinPath); err != nil {
		t.Fatal(err)
	}
	lock, err := LoadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(home, "toolchains")); err != nil {
		t.Fatal(err)
	}
	from := Sources{RustupHome: home}
	got, known := lock.Pinned(t.Context(), from, pin, spec, nil)
	if got == nil {
		t.Fatal("nothing is known")
	}
	if diff := cmp.Diff(found, got); diff != "" {
		t.Errorf("-installed +locked\n%s", diff)
	}
	if known.Digest() != caps.Digest() || known.Can(LLVM, Asm).OK != caps.Can(LLVM, Asm).OK || known.Can(LLVM, Asm).Detail == "" {
		t.Errorf("%+v, want %+v", known, caps)
	}

	other := &Pin{}
	other.Toolchain.Channel = "nightly-2026-02-03"
	kernel, err := targetspec.Load(os.DirFS("../../targets"), "aarch64-unknown-redox-clif-kernel")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]func() (*Toolchain, *Capabilities){
		"another channel": func() (*Toolchain, *Capabilities) { return lock.Pinned(t.Context(), from, other, spec, nil) },
		"another target":  func() (*Toolchain, *Capabilities) { return lock.Pinned(t.Context(), from, pin, kernel, nil) },
		"a directory": func() (*Toolchain, *Capabilities) {
			return lock.Pinned(t.Context(), Sources{Directory: "/x", RustupHome: home}, pin, spec, nil)
		},
		"another digest": func() (*Toolchain, *Capabilities) {
			lock.Host[host].Files["bin/cargo"] = strings.Repeat("0", 64)
			return lock.Pinned(t.Context(), from, pin, spec, nil)
		},
	} {
		if got, _ := got(); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The lock that is shipped is of the target and the probes that are shipped: else no machine can do without the toolchain.
func TestTheShippedLockIsCurrent(t *testing.T) {
	lock, err := LoadLock("../../toolchain/toolchain.lock.toml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := targetspec.Load(os.DirFS("../../targets"), "aarch64-unknown-redox-clif")
	if err != nil {
		t.Fatal(err)
	}
	measured := 0
	for host, verified := range lock.Host {
		if verified.Probed == nil {
			continue // locked from archives: such a machine measures for itself
		}
		measured++
		key, err := probeKey(digestOf(verified.Files), spec)
		if err != nil || verified.Probed[spec.Triple].Key != key {
			t.Errorf("%s: probed %q, want %q (%v): mage toolchain:lock on such a machine", host, verified.Probed[spec.Triple].Key, key, err)
		}
	}
	if measured == 0 {
		t.Error("no host was measured: mage toolchain:lock")
	}
}
