// Package rustbuildtest is a machine on which a rustc can be built in no time, for tests: the files of an archive, an x.py
// that leaves what the real one leaves, the programs of a system, a recipe and a patch.
//
// It owns these files. It must not know package rustbuild, whose own tests use it.
package rustbuildtest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// xPy "compiles" crates one after the other: each is a file that stays when it is killed, so that it can be seen what a
// second run does again (build/compiled, build/runs). Two files of one tick of the clock are equally new, and as for cargo
// what is equally new is fresh. A file named "hang" beside it has the name of a crate at which it
// stops; "fail" makes it fail. As the real one it compiles std again when a backend is newer, and LLVM unless
// there is an llvm-config.
const xPy = `#!/bin/sh
set -eu
host=%HOST%
out=build/$host/stage1
bin=$out/lib/rustlib/$host/bin
mkdir -p build/crates build/llvm $out/bin $bin $out/lib/rustlib/$host/lib $out/lib/rustlib/$host/codegen-backends
echo run >>build/runs
keep=
for arg; do [ "$arg" = --keep-stage-std ] && keep=1; done
stop() {
  while [ -e hang ] && [ "$1" = "$(cat hang)" ]; do sleep 0.05; touch build/hanging; done
}
compile() {
  crate=$1
  shift
  new=
  [ -e build/crates/$crate ] || new=1
  for source; do [ $source -nt build/crates/$crate ] && new=1; done
  [ "$new" ] || return 0
  echo "   Compiling $crate v0.1.0 (/x)"
  echo $crate >>build/compiled
  stop $crate
  touch build/crates/$crate
}
program() {
  printf '#!/bin/sh\necho "%s"\n' "$2" >$1
  chmod +x $1
}
echo "Building bootstrap"
if ! grep -q llvm-config bootstrap.toml; then
  echo "Building LLVM for $host"
  all=0; done=0
  for n in 1 2 3 4; do [ -e build/llvm/$n ] || all=$((all + 1)); done
  for n in 1 2 3 4; do
    [ -e build/llvm/$n ] && continue
    done=$((done + 1))
    echo "[$done/$all] Building CXX object lib/$n.o"
    stop llvm$n
    cat src/llvm-project/llvm.cpp >build/llvm/$n
  done
  for tool in ar nm objcopy objdump readobj strip; do program $bin/llvm-$tool LLVM; done
  program $bin/rust-lld LLD
  echo LLVM >$out/lib/libLLVM.so
fi
echo "Building stage1 compiler artifacts (stage0 -> stage1, x)"
compile rustc_index compiler/a.rs
compile rustc_middle compiler/a.rs
[ ! -e fail ] || { echo "error: linking with cc failed"; exit 1; }
echo "Building stage1 codegen backend cranelift (stage0 -> stage1, x)"
compile cranelift compiler/rustc_codegen_cranelift/lib.rs
grep -q broken compiler/rustc_codegen_cranelift/lib.rs && { echo "error[E0308]: mismatched types"; exit 1; }
program $out/bin/rustc "release: 1.0.0-nightly
host: $host"
cp compiler/rustc_codegen_cranelift/lib.rs $out/lib/rustlib/$host/codegen-backends/librustc_codegen_cranelift.so
std=build/$host/stage1-std
if [ -z "$keep" ]; then
  echo "Building stage1 library artifacts (stage1 -> stage1, x)"
  { [ -e $std/.stamp ] && ! [ build/crates/cranelift -nt $std/.stamp ]; } || { rm -rf $std build/crates/std; mkdir $std; touch $std/.stamp; }
  compile std library/core/src/lib.rs build/crates/rustc_middle
  echo std >$std/libstd.rlib
fi
cp $std/libstd.rlib $out/lib/rustlib/$host/lib/libstd.rlib
ln -sfn ../../../../.. $out/lib/rustlib/src
echo "Build completed successfully"
`

// Backend is the path of the Cranelift backend in the source, and Compiler that of the rest.
const (
	Backend  = "compiler/rustc_codegen_cranelift/lib.rs"
	Compiler = "compiler/a.rs"
)

// Source is what the archive has, by slash path, for a host.
func Source(host string) map[string]string {
	return map[string]string{
		"x.py":                      strings.ReplaceAll(xPy, "%HOST%", host),
		"src/stage0":                "compiler_date=2026-04-16\ncompiler_version=0.9.0\n",
		"src/llvm-project/llvm.cpp": "int x;",
		"src/llvm-project/test/big": "x",
		Compiler:                    "fn a() {}\n",
		Backend:                     "fn backend() {}\n",
		"library/Cargo.lock":        "version = 4\n",
		"library/core/src/lib.rs":   "#![no_core]\n",
		"vendor/cranelift-codegen-1.0.0/src/lib.rs":           "fn codegen() {}\n",
		"vendor/cranelift-codegen-1.0.0/Cargo.toml":           "[package]\n",
		"vendor/cranelift-codegen-1.0.0/.cargo-checksum.json": `{"files":{"src/lib.rs":"old","Cargo.toml":"other"},"package":"p"}`,
		"vendor/windows-1.0.0/Cargo.toml":                     "[package]\n",
		"vendor/windows-1.0.0/src/Windows/mod.rs":             "mod x;",
		"vendor/windows-1.0.0/src/lib.rs":                     "mod x;",
	}
}

// Recipe is a toolchain/builds/NAME.toml with %ARCHIVE% and %SHA256%.
const Recipe = `
description = "a rustc"
release = "1.0.0-nightly"
stage0 = "0.9.0"
patches = ["backend"]
[source]
archive = "%ARCHIVE%"
sha256 = "%SHA256%"
manifests-only = ["vendor/windows-*"]
[llvm]
oldest = 21
newest = 22
leave-out = ["src/llvm-project"]
[llvm.bootstrap]
leave-out = ["src/llvm-project/test"]
disk-mib = 30
seconds = 80
[llvm.bootstrap.settings.llvm]
targets = "X86"
[llvm.bootstrap.settings.rust]
lld = true
[bootstrap.rust]
channel = "nightly"
[needs]
disk-mib = 10
memory-mib = 100
[takes]
seconds = 100
backend-seconds = 40
`

// Patch is one of the series: it changes the backend and a vendored crate, and adds a file.
const Patch = `
title = "the backend"
reason = "a test"
[[edit]]
file = "compiler/rustc_codegen_cranelift/lib.rs"
anchor = "fn backend() {}"
text = "fn backend() { patched(); }"
where = "replace"
[[edit]]
file = "vendor/cranelift-codegen-1.0.0/src/lib.rs"
anchor = "fn codegen() {}"
text = "fn codegen() { patched(); }"
where = "replace"
[[file]]
path = "compiler/new.rs"
text = "fn new() {}\n"
`

// LLVMTools are the programs of an LLVM but lld.
var LLVMTools = []string{"llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-objdump", "llvm-readelf", "llvm-readobj", "llvm-strip"}

// Write writes a file and the folders it is in.
func Write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
}

// Machine is a system with all the programs that a build looks for.
type Machine struct {
	Bin     string // what is in PATH
	Include string // LLVM's headers
	Rustup  string // rustup's home, with stage 0
	t       *testing.T
}

// NewMachine makes one in a folder.
func NewMachine(t *testing.T, dir, host string) *Machine {
	t.Helper()
	m := &Machine{Bin: filepath.Join(dir, "bin"), Include: filepath.Join(dir, "include"), Rustup: filepath.Join(dir, "rustup"), t: t}
	m.Program("llvm-config-22", `case $1 in --version) echo 22.1.8;; --bindir) echo `+m.Bin+`;; --includedir) echo `+m.Include+`;; esac`)
	Write(t, filepath.Join(m.Include, "llvm", "Config", "llvm-config.h"), "", 0o644)
	m.Program("python3", `if [ "$1" = -c ]; then echo 3 11 "$0"; else exec /bin/sh "$@"; fi`)
	m.Program("cmake", "echo cmake version 3.25.1")
	for _, name := range append([]string{"cc", "c++", "ninja", "rustup", "lld"}, LLVMTools...) {
		m.Program(name, "exit 0")
	}
	stage0 := filepath.Join(m.Rustup, "toolchains", "0.9.0-"+host)
	Write(t, filepath.Join(stage0, "bin", "rustc"), "#!/bin/sh\n", 0o755)
	Write(t, m.Cargo(host), "#!/bin/sh\necho cargo channel=$__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS \"$@\"\n", 0o755)
	Write(t, filepath.Join(stage0, "lib", "rustlib", host, "lib", "libstd.rlib"), "", 0o644)
	return m
}

// Cargo is the cargo of stage 0.
func (m *Machine) Cargo(host string) string {
	return filepath.Join(m.Rustup, "toolchains", "0.9.0-"+host, "bin", "cargo")
}

// Program puts a shell script into PATH.
func (m *Machine) Program(name, script string) {
	m.t.Helper()
	Write(m.t, filepath.Join(m.Bin, name), "#!/bin/sh\n"+script+"\n", 0o755)
}

// Archive packs the source into a file and returns its digest.
func Archive(t *testing.T, path, host string) (sum string) {
	t.Helper()
	var packed bytes.Buffer
	c, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(c)
	source := Source(host)
	for _, name := range slices.Sorted(maps.Keys(source)) {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "rustc-src/" + name, Typeflag: tar.TypeReg, Size: int64(len(source[name])), Mode: 0o755}))
		_, writeErr := io.WriteString(w, source[name])
		err = errors.Join(err, writeErr)
	}
	if err := errors.Join(err, w.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	Write(t, path, packed.String(), 0o644)
	digest := sha256.Sum256(packed.Bytes())
	return hex.EncodeToString(digest[:])
}
