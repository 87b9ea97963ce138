package builder

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/graph"
)

// fakeRustSrc is a toolchain's sources of the standard library.
func fakeRustSrc(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"library/Cargo.toml":      "[workspace]\nmembers = [\"std\"]\n\n[patch.crates-io]\n# a comment\nfoo = { path = 'foo' }\n",
		"library/Cargo.lock":      "[[package]]\nname = \"hashbrown\"\nversion = \"1\"\nsource = \"registry\"\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.9\"\nsource = \"registry\"\nchecksum = \"00\"\ndependencies = [\n \"x\",\n]\n",
		"library/core/src/lib.rs": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A std that cargo builds has the patched libc crate as the prepared one has.
func TestStdByCargoHasThePatchedCrates(t *testing.T) {
	b := newBuilder(t, func(o *Options) { o.Tools.RustSrc = fakeRustSrc(t) })
	n, err := b.stdSource("", "std")
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return "lib/rustlib/src/rust/library/" + name }
	crates := graph.Outputs{n.Deps[0]: stored(t, b, map[string]string{"libc-0.2.9/src/lib.rs": "patched", "libc-0.2.9/.cargo-checksum.json": "{}", "hashbrown-1/lib.rs": ""})}
	_, out := perform(t, n, crates)
	tree, err := b.Store.LoadTree(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tree.Paths(), []string{in("Cargo.lock"), in("Cargo.toml"), in("_patched/libc/src/lib.rs"), in("core/src/lib.rs")}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for name, want := range map[string]string{
		"Cargo.toml": "[patch.crates-io]\nlibc = { path = \"_patched/libc\" }\n# a comment\nfoo",
		"Cargo.lock": "source = \"registry\"\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.9\"\ndependencies = [\n",
	} {
		text, err := b.Store.ReadAll(tree.Entries[in(name)].Digest)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v, %s has no %q:\n%s", err, name, want, text)
		}
	}
	crates[n.Deps[0]] = stored(t, b, map[string]string{"libc-0.2.8/src/lib.rs": "another version"})
	a, err := n.Plan(t.Context(), crates)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Run(t.Context(), &graph.Job{Action: a, Inputs: crates}); err == nil || !strings.Contains(err.Error(), "libc 0.2.9") {
		t.Errorf("without the crate it says %v", err)
	}
}

func TestCargoStepsThatBuildStdGetItsSources(t *testing.T) {
	for _, c := range []struct {
		kind, set string
		patched   bool
	}{{"", "std", true}, {"", "core", false}, {"kernel", "core", false}} {
		n, err := newBuilder(t, nil).stdSource(c.kind, c.set)
		if err != nil || (n != nil) != c.patched {
			t.Errorf("%q, %s: %v, %v", c.kind, c.set, n, err)
		}
	}
	b := newBuilder(t, func(o *Options) { o.Std = StdBuild })
	n, err := b.Stage("redoxfs")
	if err != nil {
		t.Fatal(err)
	}
	if !reaches(n, "rust-src/patched") {
		t.Error("redoxfs by -Zbuild-std takes the libc crate of the registry")
	}
	c := &cargoRun{Builder: b, r: b.Recipes["redoxfs"], triple: b.Target}
	c.s, _ = c.r.Step("redoxfs")
	c.std, _ = c.stdSource("", "std")
	env := c.env()
	if got := env[ownStdVariable]; got != "%{root}/std/lib/rustlib/src/rust/library" {
		t.Errorf("cargo looks for the library in %q", got)
	}
	if !c.hasOwnStd() || slices.Contains(c.shared(), "std") {
		t.Errorf("its sources are shared: %q", c.shared())
	}
	if flags := strings.Split(env["CARGO_ENCODED_RUSTFLAGS"], "\x1f"); !slices.Contains(flags, "--sysroot=%{root}/std") {
		t.Errorf("the library is not in the sysroot, so that cargo hashes where it lies: %q", flags)
	}
}

// A cargo that does not know the variable builds from the toolchain's sources, and nobody would see it.
func TestStdOfTheToolchainIsNoticed(t *testing.T) {
	dir := t.TempDir()
	write := func(from string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "core-12ab.d"), []byte("/x/core-12ab.d: "+from+"/core/src/lib.rs\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("/root/std/lib/rustlib/src/rust/library")
	if err := checkOwnStd(dir); err != nil {
		t.Error(err)
	}
	write("/toolchain/lib/rustlib/src/rust/library")
	if err := checkOwnStd(dir); err == nil || !strings.Contains(err.Error(), "lacks our patches") {
		t.Error(err)
	}
}
