package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/targetspec"
)

// measured is what the 1.96 toolchain answers.
func measured() *Capabilities {
	yes := Result{OK: true}
	return &Capabilities{
		Identity: strings.Repeat("ab", 32), Triple: "aarch64-unknown-redox-clif",
		Version: Version{Release: "1.96.0-nightly", Commit: "unknown", CommitDate: "unknown", LLVM: "22.1.8", Host: host,
			Cargo: "1.97.0-nightly (4d1f98451 2026-05-15)"},
		RustcUnstableForJSON: true, CargoJSONTargetSpec: true,
		SoftFloatABI: map[string]string{"x86_64": "softfloat", "aarch64": "softfloat"},
		Backends: map[Backend]map[Feature]Result{
			LLVM: {Present: yes, Asm: yes, AsmObject: yes, Sym: yes, SymGlobal: yes, F128: yes, Variadic: yes},
			Cranelift: {Present: yes, Asm: yes, AsmObject: {Detail: "undefined symbol: probe_label"}, Sym: yes, SymGlobal: {Detail: "undefined symbol: callee"}, F128: yes,
				Variadic: {Detail: "Defining variadic functions is not yet supported by Cranelift"}},
		},
	}
}

func TestBackend(t *testing.T) {
	c := measured()
	for _, name := range []string{"cranelift", "llvm"} {
		if backend, err := c.Backend(name); err != nil || string(backend) != name {
			t.Errorf("%s: %v, %v", name, backend, err)
		}
	}
	if _, err := c.Backend("gcc"); err == nil {
		t.Error("gcc: no error")
	}
	c.Backends[Cranelift][Present] = Result{Detail: "no codegen-backends"}
	_, err := c.Backend("cranelift")
	for _, want := range []string{"1.96.0-nightly has no cranelift backend", "REDOX_TOOLCHAIN=DIR", "rustup component add rustc-codegen-cranelift-preview", `backend = "llvm"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
}

func TestDigestCoversEveryMeasurement(t *testing.T) {
	base := measured().Digest()
	if base != measured().Digest() || len(base) != 64 {
		t.Fatalf("not deterministic: %q", base)
	}
	for i, change := range []func(*Capabilities){
		func(c *Capabilities) { c.Identity = "x" },
		func(c *Capabilities) { c.NoF16F128 = true },
		func(c *Capabilities) { c.CargoJSONTargetSpec = false },
		func(c *Capabilities) { c.SoftFloatABI["aarch64"] = "" },
		func(c *Capabilities) { c.Backends[Cranelift][Asm] = Result{} },
	} {
		c := measured()
		change(c)
		if c.Digest() == base {
			t.Errorf("change %d does not show", i)
		}
	}
}

// What a compiler says of its failure may name a folder of the machine.
func TestTheCompilersWordsAreNotInTheDigest(t *testing.T) {
	one, other := &Capabilities{Backends: map[Backend]map[Feature]Result{LLVM: {Asm: {Detail: "no file /home/me/x"}}}},
		&Capabilities{Backends: map[Backend]map[Feature]Result{LLVM: {Asm: {Detail: "no file /home/you/x"}}}}
	if one.Digest() != other.Digest() {
		t.Error("two machines have two digests")
	}
}

func TestFirstError(t *testing.T) {
	tests := []struct{ output, want string }{
		{"warning: x\nerror[E0635]: unknown feature\n", "unknown feature"},
		{"error: Defining variadic functions is not yet supported\n  --> x", "Defining variadic functions is not yet supported"},
		{"thread 'x' panicked at a.rs:1:2:\nnot implemented: y\nerror: the compiler unexpectedly panicked", "compiler crash: not implemented: y"},
		{"rust-lld: error: undefined symbol: a\n>>> x", "rust-lld: error: undefined symbol: a"},
		{"anything\nelse", "anything"},
		{"", ""},
		{"error: " + strings.Repeat("x", 200), strings.Repeat("x", 160) + "..."},
	}
	for _, test := range tests {
		if got := firstError([]byte(test.output)); got != test.want {
			t.Errorf("%q: got %q", test.output, got)
		}
	}
}

// TestProbeIsData: a compiler that refuses every probe gives a measurement, and
// one that does not run gives an error.
func TestProbeIsData(t *testing.T) {
	found, err := Open(fakeToolchain(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := targetspec.Load(os.DirFS("../../targets"), "aarch64-unknown-redox-clif")
	if err != nil {
		t.Fatal(err)
	}
	got, err := found.Probe(t.Context(), refusing, &Identity{Digest: "d"}, spec, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if !got.PointerWidthString || got.CargoJSONTargetSpec || got.RustcUnstableForJSON || got.Can(LLVM, Present) != (Result{Detail: "no"}) {
		t.Errorf("got %+v", got)
	}
	dead := func(context.Context, ...string) ([]byte, []byte, error) {
		return nil, []byte("cannot open shared object"), errors.New("exit status 127")
	}
	cache := t.TempDir()
	if _, err := found.Probe(t.Context(), dead, &Identity{Digest: "d"}, spec, cache); err == nil || !strings.Contains(err.Error(), "cannot open shared object") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestShow: internal/cmd/pin shows these reports to people.
func TestShow(t *testing.T) {
	pin := projectPin(t)
	pin.Toolchain.Channel = "nightly-2026-01-02"
	found := &Toolchain{Provider: FromDirectory, Dir: "/opt/rust", Host: host, Library: "/opt/rust/library", Tools: map[string]string{}}
	for _, tool := range pin.Requires.Tools[1:] {
		found.Tools[tool] = "/opt/rust/" + tool
	}
	for name, report := range map[string]*Report{
		"full":    NewReport(&Installed{Pin: pin, Toolchain: found, Identity: &Identity{Digest: strings.Repeat("ab", 32)}, Caps: measured()}),
		"nothing": NewReport(&Installed{Pin: pin, Problem: &NoRustup{Channel: pin.Toolchain.Channel}}),
	} {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", "show-"+name+".json"), string(text)+"\n")
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		write(t, path, got, 0o644)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test ./internal/toolchain -update):\n%s", path, diff)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock.toml")
	lock, err := LoadLock(path)
	if err != nil || lock.Channel != "" {
		t.Fatalf("a lock that is not there: %+v, %v", lock, err)
	}
	version := measured().Version
	identity := &Identity{Files: map[string]string{"bin/rustc": "aa", "lib/a.so": "bb"}}
	lock.Record("nightly-2026-01-02", version, identity)
	if err := lock.Write(path); err != nil {
		t.Fatal(err)
	}
	again, err := LoadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lock, again); diff != "" {
		t.Error(diff)
	}
	more := &Identity{Files: map[string]string{"bin/rustc": "aa", "lib/a.so": "bb", "optional": "cc"}}
	if drift := again.Compare("nightly-2026-01-02", version, more); len(drift) != 0 {
		t.Errorf("an optional component is no drift: %v", drift)
	}
	version.Commit = "other"
	drift := again.Compare("nightly-2026-01-02", version, &Identity{Files: map[string]string{"bin/rustc": "xx"}})
	want := []*LockDrift{
		{What: "rustc commit", Want: "unknown", Got: "other"}, {What: "bin/rustc", Want: "aa", Got: "xx"}, {What: "lib/a.so", Want: "bb"},
	}
	if diff := cmp.Diff(want, drift); diff != "" {
		t.Error(diff)
	}
	version.Host = "aarch64-apple-darwin"
	if drift := again.Compare("nightly-2026-01-02", version, more); len(drift) != 1 || drift[0].What != "host" {
		t.Errorf("another host: %v", drift)
	}
	if drift := again.Compare("nightly-2026-02-02", version, more); len(drift) != 1 || drift[0].What != "channel" {
		t.Errorf("another channel: %v", drift)
	}
	write(t, path, "chanel = 1\n", 0o644)
	if _, err := LoadLock(path); err == nil {
		t.Error("a wrong lock: no error")
	}
}
