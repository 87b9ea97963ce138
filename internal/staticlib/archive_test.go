package staticlib

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/test/wants"
)

const (
	coreFn   = "_RNvMs_NtCsdHQofddzvL3_4core3fmtNtB4_9Formatter3pad"
	shim     = "_RNvCs1uHR83m0mAU_7___rustc12___rust_alloc"
	legacyFn = "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE.llvm.42"
	constant = "anon.dc82b1a7dd62d20c01553d9e32643bb5.1.llvm.75"
)

func TestIsRust(t *testing.T) {
	for symbol, want := range map[string]bool{
		coreFn: true, shim: true, legacyFn: true, constant: true,
		"_R0NvC4core3pad": true, // v0 with an explicit version
		"printf":          false,
		"__rust_alloc":    false, // renamed by name, not by its form
		"_Result":         false,
		"_Random":         false,
		"_ZN3foo3barEv":   false, // C++: no hash
		"anon.text":       false,
		Prefix + coreFn:   false,
	} {
		if got := IsRust(symbol); got != want {
			t.Errorf("IsRust(%q) = %v, want %v", symbol, got, want)
		}
	}
}

func TestRenames(t *testing.T) {
	// The cleanup functions are behind macros of <pthread.h>: programs call them.
	defined := []string{shim, "open", coreFn, "__rust_alloc", coreFn, "memcpy", "__relibc_internal_fork_wrapper", "__relibc_internal_pthread_cleanup_push"}
	want := append([]string{coreFn, shim, "__relibc_internal_fork_wrapper"}, allocatorSymbols...)
	slices.Sort(want)
	if diff := cmp.Diff(want, Renames(defined)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !slices.IsSorted(allocatorSymbols) {
		t.Error("the list of allocator symbols is not sorted")
	}
}

func TestFloatFunctions(t *testing.T) {
	got := Renames([]string{"fmod", "fmodf", "fabs", "sin", "ff", "rintl"})
	for symbol, want := range map[string]bool{
		"fmod": true, "fmodf": true, "fabs": true,
		"trunc": false, // not defined here: whoever defines it keeps being called
		"sin":   false, "ff": false, "rintl": false,
	} {
		if slices.Contains(got, symbol) != want {
			t.Errorf("%s renamed: %v, want %v", symbol, !want, want)
		}
	}
}

// library makes a static library by rustc, and returns it with one of its objects.
func library(t *testing.T) (archive, object []byte) {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(dir, "c.rs")
	// no_std without a panic of its own: the host's std is not needed, only its core.
	write(t, src, []byte(`#![no_std]
#[panic_handler] fn stop(_: &core::panic::PanicInfo) -> ! { loop {} }
#[no_mangle] pub extern "C" fn length(p: *const u8, n: usize) -> usize {
    core::str::from_utf8(unsafe { core::slice::from_raw_parts(p, n) }).map_or(0, |s| s.chars().count())
}
#[inline(never)] #[no_mangle] pub extern "C" fn fmod(a: f64, _: f64) -> f64 { a }
`))
	in, out := filepath.Join(dir, "librelibc.a"), filepath.Join(dir, "c.o")
	for _, args := range [][]string{{"--crate-name=relibc", "--crate-type=staticlib", "-o", in}, {"--crate-type=lib", "--emit=obj=" + out}} {
		if text, err := exec.Command("rustc", append(args, "-Cpanic=abort", src)...).CombinedOutput(); err != nil {
			t.Skipf("no rustc that makes libraries for this machine: %v: %s", err, text)
		}
	}
	return read(t, in), read(t, out)
}

func TestRelibc(t *testing.T) {
	in, _ := library(t)
	before := bytes.Clone(in)
	out, got, err := Relibc(in)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(in, before) {
		t.Error("the input was changed")
	}
	if got.Renamed == 0 || got.Defined < got.Renamed {
		t.Errorf("%+v", got)
	}
	members, err := Read(out)
	if err != nil {
		t.Fatal(err)
	}
	names, err := defined(members)
	if err != nil {
		t.Fatal(err)
	}
	for symbol, want := range map[string]bool{"length": true, "fmod": false, Prefix + "fmod": true} {
		if slices.Contains(names, symbol) != want {
			t.Errorf("%s is defined: %v", symbol, !want)
		}
	}
	if _, _, err := Relibc(out); !errors.Is(err, ErrNotRust) {
		t.Errorf("a second time: %v", err)
	}
	if _, _, err := Relibc(in[:len(in)-100]); err == nil {
		t.Error("half a library was taken")
	}
}

func TestAnArchiveThatStillDefinesWhatItMustNotIsAnError(t *testing.T) {
	if err := checkRenamed([]string{"open", "__rust_alloc", "sqrtf"}); err == nil || !strings.Contains(err.Error(), "__rust_alloc, sqrtf") {
		t.Errorf("%v", err)
	}
	if err := checkRenamed([]string{"open", Prefix + coreFn}); err != nil {
		t.Error(err)
	}
}

func TestMembersComeBackAsTheyWere(t *testing.T) {
	_, object := library(t)
	want := []Member{{"a.o", object}, {"fifteen-bytes.o", object}, {"a name of more than sixteen bytes.o", object}, {"a.o", object}, {"a name of more than sixteen bytes.o", object}}
	archive, err := Write(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(archive)
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("%d members, %v", len(got), err)
	}
	if nothing, err := Write(nil); err != nil || !bytes.Equal(nothing, Empty()) {
		t.Errorf("an archive of nothing is %q, %v", nothing, err)
	}
	if _, err := Write([]Member{{"text.o", []byte("text")}}); err == nil || !strings.Contains(err.Error(), "text.o: not an ELF file") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNoArchiveIsAnError(t *testing.T) {
	row := func(name string, size int) string { return fmt.Sprintf(memberRow, name, 0, 0, 0, fileMode, size) }
	for text, want := range map[string]string{
		"text":                                              "not an archive",
		archiveMagic + "short":                              "no member's header at byte 8",
		archiveMagic + row("a/", 10) + "x":                  `the member at byte 8 has "10" bytes, and 1 are there`,
		archiveMagic + row("/7", 0):                         `"/7" is no name of GNU's form`,
		archiveMagic + row("#1/4", 4) + "name":              `"#1/4" is no name of GNU's form`,
		archiveMagic + row("//", 4) + "abcd" + row("/0", 0): "has no end",
	} {
		if members, err := Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", text, members, err, want)
		}
	}
}

// The tools whose place this package takes give the same bytes.
func TestLLVMGivesTheSameBytes(t *testing.T) {
	bin := filepath.Join(wants.Pin.On(t), "lib/rustlib")
	found, err := filepath.Glob(filepath.Join(bin, "*/bin/llvm-ar"))
	if err != nil || len(found) != 1 {
		t.Fatalf("llvm-ar is at %q: %v", found, err)
	}
	bin = filepath.Dir(found[0])
	library, object := library(t)
	dir := t.TempDir()
	in, out, list := filepath.Join(dir, "in.a"), filepath.Join(dir, "out.a"), filepath.Join(dir, "list")
	members, err := Read(library)
	if err != nil {
		t.Fatal(err)
	}
	before, err := defined(members)
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, name := range Renames(before) {
		fmt.Fprintf(&lines, "%s %s%s\n", name, Prefix, name)
	}
	write(t, in, library)
	write(t, list, []byte(lines.String()))
	tool(t, bin, "llvm-objcopy", "--redefine-syms="+list, in, out)
	if got, _, err := Relibc(library); err != nil || !bytes.Equal(got, read(t, out)) {
		t.Errorf("renamed: %d bytes, want %d, %v", len(got), len(read(t, out)), err)
	}
	names := []string{"a.o", "a name of more than sixteen bytes.o"}
	args := []string{"rcsD", filepath.Join(dir, "lib.a")}
	var files []Member
	for _, name := range names {
		write(t, filepath.Join(dir, name), object)
		args, files = append(args, filepath.Join(dir, name)), append(files, Member{name, object})
	}
	tool(t, bin, "llvm-ar", args...)
	if got, err := Write(files); err != nil || !bytes.Equal(got, read(t, args[1])) {
		t.Errorf("packed: %d bytes, want %d, %v", len(got), len(read(t, args[1])), err)
	}
}

func tool(t *testing.T, bin, name string, args ...string) {
	t.Helper()
	if text, err := exec.Command(filepath.Join(bin, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(archiveMagic + fmt.Sprintf(memberRow, "a/", 0, 0, 0, fileMode, 4) + "abcd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if members, err := Read(data); err == nil {
			_, _ = Write(members)
		}
	})
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
