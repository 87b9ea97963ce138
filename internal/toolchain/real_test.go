package toolchain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"

	"github.com/pannous/redox-clif/internal/targetspec"
)

// realToolchain opens the toolchain directory that a variable names.
func realToolchain(t testing.TB, variable wants.Variable) *Toolchain {
	t.Helper()
	found, err := Open(variable.On(t))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRealToolchains measures real toolchains: REDOX_TEST_PIN is the directory
// of the pinned nightly without Cranelift, REDOX_TEST_CRANELIFT one of rustc
// 1.96 with the repaired backend.
func TestRealToolchains(t *testing.T) {
	spec, err := targetspec.Load(os.DirFS("../../targets"), "aarch64-unknown-redox-clif")
	if err != nil {
		t.Fatal(err)
	}
	pin, err := LoadPin("../../toolchain/toolchain.toml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		variable       wants.Variable
		unstable, no16 bool
		abi            map[string]string
		cranelift      map[Feature]bool
	}{
		{wants.Pin, false, true, map[string]string{"x86_64": "x86-softfloat"}, map[Feature]bool{}},
		{wants.Cranelift, true, false, map[string]string{"aarch64": "softfloat", "x86_64": "softfloat"},
			map[Feature]bool{Present: true, Asm: true, Sym: true, F128: true}},
	}
	for _, test := range tests {
		t.Run(test.variable.Name, func(t *testing.T) {
			found, cache, run := realToolchain(t, test.variable), t.TempDir(), Exec(nil)
			identity, err := found.Identify(t.Context(), cache)
			if err != nil {
				t.Fatal(err)
			}
			measured, err := found.Probe(t.Context(), run, identity, spec, cache)
			if err != nil {
				t.Fatal(err)
			}
			if measured.RustcUnstableForJSON != test.unstable || measured.CargoJSONTargetSpec != test.unstable || measured.NoF16F128 != test.no16 {
				t.Errorf("unstable %v, json-target-spec %v, no-f16-f128 %v",
					measured.RustcUnstableForJSON, measured.CargoJSONTargetSpec, measured.NoF16F128)
			}
			for arch, want := range map[string]string{"aarch64": test.abi["aarch64"], "x86_64": test.abi["x86_64"]} {
				if got := measured.SoftFloatABI[arch]; got != want {
					t.Errorf("rustc-abi of %s: %q, want %q", arch, got, want)
				}
			}
			for _, feature := range Features() {
				if result := measured.Can(LLVM, feature); !result.OK {
					t.Errorf("LLVM %s: %s", feature, result.Detail)
				}
				if result := measured.Can(Cranelift, feature); result.OK != test.cranelift[feature] {
					t.Errorf("Cranelift %s: %v %s", feature, result.OK, result.Detail)
				}
			}
			if r := NewReport(&Installed{Pin: pin, Toolchain: found, Identity: identity, Caps: measured}); len(r.Problems) > 0 {
				t.Errorf("%+v", r)
			}

			start := time.Now()
			again, err := found.Identify(t.Context(), cache)
			t.Logf("identity warm: %v", time.Since(start))
			if err != nil || again.Digest != identity.Digest {
				t.Errorf("warm: %v, %v", again, err)
			}
			cached, err := found.Probe(t.Context(), nil, identity, spec, cache) // no Runner: it must not run anything
			if err != nil || cached.Digest() != measured.Digest() {
				t.Errorf("cached probe: %v", err)
			}
		})
	}
}

// TestCrashIsData: with soft-float, Cranelift declares the float functions of
// compiler_builtins otherwise than they are defined, and crashes. That is a
// measurement, and rustc's crash report does not stay behind.
func TestCrashIsData(t *testing.T) {
	found := realToolchain(t, wants.Cranelift)
	spec, err := targetspec.Load(os.DirFS("../../targets"), "aarch64-unknown-redox-clif-kernel")
	if err != nil {
		t.Fatal(err)
	}
	measured, err := found.Probe(t.Context(), Exec(nil), &Identity{Digest: "any"}, spec, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if result := measured.Can(Cranelift, F128); result.OK || !strings.HasPrefix(result.Detail, "compiler crash: ") {
		t.Errorf("got %+v", result)
	}
	if left, err := filepath.Glob("rustc-ice-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestProjectLock holds the pinned nightly against the committed lock; -update
// records it.
func TestProjectLock(t *testing.T) {
	const path = "../../toolchain/toolchain.lock.toml"
	found, pin := realToolchain(t, wants.Pin), projectPin(t)
	version, err := found.AskVersion(t.Context(), Exec(nil))
	if err != nil {
		t.Fatal(err)
	}
	found.Provider = FromRustup
	if err := pin.Verify(found, version); err != nil {
		t.Error(err)
	}
	identity, err := found.Identify(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lock, err := LoadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		lock.Record(pin.Toolchain.Channel, version, identity)
		if err := lock.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, drift := range lock.Compare(pin.Toolchain.Channel, version, identity) {
		t.Error(drift)
	}
}

func BenchmarkIdentifyWarm(b *testing.B) {
	found := realToolchain(b, wants.Pin)
	cache := b.TempDir()
	if _, err := found.Identify(b.Context(), cache); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := found.Identify(b.Context(), cache); err != nil {
			b.Fatal(err)
		}
	}
}
