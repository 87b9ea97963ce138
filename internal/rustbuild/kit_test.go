package rustbuild

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/run"
)

// fakeXPy is a rustc's x.py that "compiles" crates one after the other: each is a file that stays when it is killed, so
// that it can be seen what a second run does again. A file named "hang" beside it stops it there.
const fakeXPy = `#!/bin/sh
set -eu
echo "Building bootstrap"
grep -q llvm-config bootstrap.toml
host=%HOST%
out=build/$host/stage1
mkdir -p build/crates $out/bin $out/lib/rustlib/$host/lib $out/lib/rustlib/$host/codegen-backends
compile() {
  [ build/crates/$1 -nt $2 ] && return
  echo "   Compiling $1 v0.1.0"
  echo $1 >>build/compiled
  while [ -e hang ] && [ "$1" = "$(cat hang)" ]; do sleep 0.05; touch build/hanging; done
  touch build/crates/$1
}
echo "Building stage1 compiler artifacts (stage0 -> stage1, x)"
compile rustc_index compiler/a.rs
compile rustc_middle compiler/a.rs
echo "Building stage1 codegen backend cranelift (stage0 -> stage1, x)"
compile cranelift compiler/backend.rs
grep -q broken compiler/backend.rs && { echo "error[E0308]: mismatched types"; exit 1; }
printf '#!/bin/sh\necho "release: 1.0.0-nightly"\necho "host: %s"\n' $host >$out/bin/rustc
chmod +x $out/bin/rustc
cp compiler/backend.rs $out/lib/rustlib/$host/codegen-backends/librustc_codegen_cranelift.so
echo std >$out/lib/rustlib/$host/lib/libstd.rlib
ln -sfn ../../../../.. $out/lib/rustlib/src
echo "Build completed successfully"
`

const fakeRecipe = `
description = "a rustc"
release = "1.0.0-nightly"
stage0 = "0.9.0"
patches = ["backend"]
[source]
archive = "https://example.org/rustc.tar.xz"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
leave-out = ["src/llvm-project"]
manifests-only = ["vendor/windows-*"]
[llvm]
oldest = 21
newest = 22
[bootstrap.rust]
channel = "nightly"
[needs]
disk-mib = 100
memory-mib = 10
[progress]
total = 100
[progress.marks]
"compiler/rustc_middle" = 50
`

var fakeSource = map[string]string{
	"src/stage0":                              "compiler_date=2026-04-16\ncompiler_version=0.9.0\n",
	"src/llvm-project/llvm.cpp":               "int x;",
	"compiler/a.rs":                           "fn a() {}\n",
	"compiler/backend.rs":                     "fn backend() {}\n",
	"library/Cargo.lock":                      "version = 4\n",
	"library/core/src/lib.rs":                 "#![no_core]\n",
	"vendor/codegen-1.0.0/src/lib.rs":         "fn codegen() {}\n",
	"vendor/codegen-1.0.0/Cargo.toml":         "[package]\n",
	"vendor/codegen-1.0.0/" + checksumsFile:   `{"files":{"src/lib.rs":"old","Cargo.toml":"other"},"package":"p"}`,
	"vendor/windows-1.0.0/Cargo.toml":         "[package]\n",
	"vendor/windows-1.0.0/src/Windows/mod.rs": "mod x;",
	"vendor/windows-1.0.0/src/lib.rs":         "mod x;",
}

const backendPatch = `
title = "the backend"
reason = "a test"
[[edit]]
file = "compiler/backend.rs"
anchor = "fn backend() {}"
text = "fn backend() { patched(); }"
where = "replace"
[[edit]]
file = "vendor/codegen-1.0.0/src/lib.rs"
anchor = "fn codegen() {}"
text = "fn codegen() { patched(); }"
where = "replace"
[[file]]
path = "compiler/new.rs"
text = "fn new() {}\n"
`

// kit is a machine with all that a build needs, made up.
type kit struct {
	t     *testing.T
	build *Build
	llvm  string
	cargo string
}

func newKit(t *testing.T) *kit {
	t.Helper()
	dir := t.TempDir()
	k := &kit{t: t, llvm: filepath.Join(dir, "llvm"), cargo: filepath.Join(dir, "stage0", "bin", "cargo")}
	for _, name := range append([]string{"lld"}, tools...) {
		k.write(filepath.Join(k.llvm, "bin", name), "#!/bin/sh\n", 0o755)
	}
	k.write(k.cargo, "#!/bin/sh\necho cargo channel=$__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS \"$@\"\n", 0o755)
	k.write(filepath.Join(dir, "toolchain", Folder, "fake.toml"), fakeRecipe, 0o644)
	r, err := Load(os.DirFS(filepath.Join(dir, "toolchain")), "")
	if err != nil {
		t.Fatal(err)
	}
	llvm := &LLVM{Config: filepath.Join(k.llvm, "bin", "llvm-config"), Version: "22.1.8", Tools: map[string]string{"rust-lld": filepath.Join(k.llvm, "bin", "lld")}}
	for _, name := range tools {
		llvm.Tools[name] = filepath.Join(k.llvm, "bin", name)
	}
	k.build = &Build{Store: Store{Dir: filepath.Join(dir, "cache", "rust")}, Recipe: r, Host: HostTriple(), LLVM: llvm}
	k.patches(backendPatch)
	return k
}

func (k *kit) write(path, text string, mode os.FileMode) {
	k.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		k.t.Fatal(err)
	}
}

// patches replaces the series by one of these patches.
func (k *kit) patches(texts ...string) {
	k.t.Helper()
	dir := k.t.TempDir()
	for i, text := range texts {
		k.write(filepath.Join(dir, "backend", string(rune('a'+i))+".toml"), text, 0o644)
	}
	k.build.Series = nil
	if len(texts) == 0 {
		return
	}
	s, err := patch.Load(os.DirFS(dir), "backend")
	if err != nil {
		k.t.Fatal(err)
	}
	k.build.Series = []*patch.Series{s}
}

// export writes the source as an extraction would.
func (k *kit) export(dest string) error {
	for name, text := range fakeSource {
		if k.build.Recipe.Source.Wants(name) {
			k.write(filepath.Join(dest, name), text, 0o644)
		}
	}
	k.write(filepath.Join(dest, "x.py"), strings.ReplaceAll(fakeXPy, "%HOST%", k.build.Host), 0o755)
	return nil
}

func (k *kit) extractAndPatch() []string {
	k.t.Helper()
	if err := k.build.Extract(k.export); err != nil {
		k.t.Fatal(err)
	}
	written, err := k.build.Patch(k.t.Context(), patch.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	return written
}

func (k *kit) stage0() Stage0 {
	return Stage0{Rustc: filepath.Join(filepath.Dir(k.cargo), "rustc"), Cargo: k.cargo}
}

// command is the x.py of the kit: a shell script in place of one in Python.
func (k *kit) command() *Command {
	k.t.Helper()
	c, err := k.build.Command(&Programs{Python: "/bin/sh", CC: "/usr/bin/cc", CXX: "/usr/bin/c++"}, k.stage0(), 2)
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

func ask(ctx context.Context, argv ...string) (string, error) {
	out, err := run.Output(ctx, []string{"PATH=/usr/bin:/bin"}, argv...)
	return string(out), err
}

// compiled are the crates that were compiled since the last call.
func (k *kit) compiled() string {
	k.t.Helper()
	path := filepath.Join(k.build.Source(), "build", "compiled")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.t.Fatal(err)
	}
	_ = os.Remove(path)
	return strings.Join(strings.Fields(string(text)), " ")
}

// whole builds everything and returns the toolchain's folder.
func (k *kit) whole() string {
	k.t.Helper()
	k.extractAndPatch()
	if err := k.command().Run(k.t.Context(), func(string) {}); err != nil {
		k.t.Fatal(err)
	}
	dir, err := k.build.Assemble(k.t.Context(), k.stage0(), ask)
	if err != nil {
		k.t.Fatal(err)
	}
	return dir
}

// entry is an entry of a made-up packed toolchain.
type entry struct {
	name, text, link string
	mode             int64
}

func (k *kit) tarXZ(entries ...entry) string {
	k.t.Helper()
	var out bytes.Buffer
	c, err := xz.NewWriter(&out)
	if err != nil {
		k.t.Fatal(err)
	}
	w := tar.NewWriter(c)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Size: int64(len(e.text)), Mode: e.mode}
		if e.link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.link, 0
		}
		if err := w.WriteHeader(h); err != nil {
			k.t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil && e.link == "" {
			k.t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), c.Close()); err != nil {
		k.t.Fatal(err)
	}
	path := filepath.Join(k.t.TempDir(), "packed.tar.xz")
	k.write(path, out.String(), 0o644)
	return path
}

// read lists a packed toolchain.
func (k *kit) read(path string) []entry {
	k.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		k.t.Fatal(err)
	}
	defer f.Close()
	plain, err := xz.NewReader(f)
	if err != nil {
		k.t.Fatal(err)
	}
	var all []entry
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if err != nil {
			return all
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(r); err != nil {
			k.t.Fatal(err)
		}
		all = append(all, entry{name: h.Name, text: text.String(), mode: h.Mode})
	}
}
