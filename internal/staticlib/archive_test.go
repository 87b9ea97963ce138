package staticlib

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestParseList(t *testing.T) {
	listing := "\nlibc.a[relibc.0.o]:\nopen T 0 18\n" + coreFn + " T 18 4\r\n\nrelibc.1.o: \nopen W 0 18\nenviron D 0\n"
	got, err := ParseList([]byte(listing))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{coreFn, "environ", "open"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// The last is the format of nm without --format=posix.
	for _, bad := range []string{"open", "no symbols", "0000000000000018 T open"} {
		if names, err := ParseList([]byte(bad + "\n")); err == nil {
			t.Errorf("%q was read as %q", bad, names)
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
	if got, want := string(RedefineFile([]string{"a", "b"})), "a __relibc_a\nb __relibc_b\n"; got != want {
		t.Errorf("redefine file %q, want %q", got, want)
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

// script is a runner that answers nm from listings by file and notes the other commands.
type script struct {
	listings map[string]string
	ran      [][]string
	fail     error
}

func (s *script) run(_ context.Context, argv []string) ([]byte, error) {
	s.ran = append(s.ran, argv)
	if argv[0] == "nm" {
		return []byte(s.listings[argv[len(argv)-1]]), nil
	}
	return nil, s.fail
}

func TestRelibc(t *testing.T) {
	broken := errors.New("objcopy: broken")
	for _, c := range []struct {
		name, before, after string
		fail                error
		want                Summary
		err                 string
		is                  error
	}{
		{name: "renamed", before: coreFn + " T 0 1\nopen T 0 1\nfmod W 0 1\n", after: Prefix + coreFn + " T 0 1\nopen T 0 1\n", want: Summary{Renamed: 1, Defined: 2}},
		{name: "not Rust", before: "open T 0 1\n", is: ErrNotRust},
		{name: "second time", before: Prefix + coreFn + " T 0 1\n", is: ErrNotRust},
		{name: "objcopy fails", before: coreFn + " T 0 1\n", fail: broken, is: broken},
		{name: "objcopy does nothing", before: coreFn + " T 0 1\n", after: coreFn + " T 0 1\nsqrtf T 0 1\n__rust_alloc T 0 1\n", err: "__rust_alloc, sqrtf"},
		{name: "garbage", before: "what is this\n", err: "line 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{listings: map[string]string{"in.a": c.before, "out.a": c.after}, fail: c.fail}
			dir := t.TempDir()
			got, err := Tools{NM: "nm", Objcopy: "objcopy", Ar: "ar", Run: s.run}.Relibc(t.Context(), "in.a", "out.a", dir)
			switch {
			case c.is != nil && !errors.Is(err, c.is):
				t.Fatalf("error %v, want %v", err, c.is)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Fatalf("error %v, want one with %q", err, c.err)
			case c.is == nil && c.err == "" && err != nil:
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if err == nil {
				list, err := os.ReadFile(filepath.Join(dir, "out.a.redefine"))
				if err != nil || !bytes.Contains(list, []byte(coreFn+" "+Prefix+coreFn+"\n")) {
					t.Errorf("list of names %q, %v", list, err)
				}
			}
		})
	}
}

func TestCreate(t *testing.T) {
	s := &script{}
	tools := Tools{Ar: "ar", Run: s.run}
	out := filepath.Join(t.TempDir(), "lib.a")
	if err := tools.Create(t.Context(), out, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(out); !bytes.Equal(got, Empty()) || len(s.ran) != 0 {
		t.Errorf("an archive of nothing is %q and ran %q", got, s.ran)
	}
	if err := tools.Create(t.Context(), out, []string{"b.o", "a.o"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("ar would have added to the old archive")
	}
	if want := [][]string{{"ar", "rcsD", out, "b.o", "a.o"}}; !cmp.Equal(want, s.ran) {
		t.Errorf("ran %q, want %q", s.ran, want)
	}
}

// TestRealTools makes a static library by rustc and has the rules hold on it.
func TestRealTools(t *testing.T) {
	tools := realTools(t)
	dir := t.TempDir()
	src := filepath.Join(dir, "c.rs")
	// no_std without a panic of its own: the host's std is not needed, only its core.
	write(t, src, `#![no_std]
#[panic_handler] fn stop(_: &core::panic::PanicInfo) -> ! { loop {} }
#[no_mangle] pub extern "C" fn length(p: *const u8, n: usize) -> usize {
    core::str::from_utf8(unsafe { core::slice::from_raw_parts(p, n) }).map_or(0, |s| s.chars().count())
}
#[inline(never)] #[no_mangle] pub extern "C" fn fmod(a: f64, _: f64) -> f64 { a }
`)
	in, out := filepath.Join(dir, "librelibc.a"), filepath.Join(dir, "libc.a")
	if _, err := tools.Run(t.Context(), []string{"rustc", "--crate-name=relibc", "--crate-type=staticlib", "-Cpanic=abort", "-o", in, src}); err != nil {
		t.Skip(err)
	}
	original, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tools.Relibc(t.Context(), in, out, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Renamed == 0 || got.Defined < got.Renamed {
		t.Errorf("%+v", got)
	}
	defined, err := tools.defined(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(defined, "length") || slices.Contains(defined, "fmod") {
		t.Errorf("of length and fmod only the first should be left: %v", defined)
	}
	if now, _ := os.ReadFile(in); !bytes.Equal(now, original) {
		t.Error("the input was changed")
	}
	first, _ := os.ReadFile(out)
	if _, err := tools.Relibc(t.Context(), in, out, dir); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(out); !bytes.Equal(first, second) {
		t.Error("the same input made two different archives")
	}
	checkDeterministic(t, tools, dir, src)
}

// checkDeterministic packs one object, then again after its times and mode changed.
func checkDeterministic(t *testing.T, tools Tools, dir, src string) {
	t.Helper()
	object := filepath.Join(dir, "c.o")
	if _, err := tools.Run(t.Context(), []string{"rustc", "--crate-type=lib", "-Cpanic=abort", "--emit=obj=" + object, src}); err != nil {
		t.Fatal(err)
	}
	var made [2][]byte
	for i := range made {
		out := filepath.Join(dir, fmt.Sprintf("lib%d.a", i))
		if err := tools.Create(t.Context(), out, []string{object}); err != nil {
			t.Fatal(err)
		}
		var err error
		if made[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(object, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("the archive depends on the file's mode or time")
	}
}

// realTools are those of the first rustc found that has the llvm-tools component.
func realTools(t *testing.T) Tools {
	run := func(ctx context.Context, argv []string) ([]byte, error) {
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", argv[0], err, &stderr)
		}
		return out, nil
	}
	root, err := run(t.Context(), []string{"rustc", "--print", "sysroot"})
	if err != nil {
		t.Skip("no rustc here")
	}
	bins, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "lib/rustlib/*/bin/llvm-objcopy"))
	if len(bins) == 0 {
		// Another toolchain of the same rustup may have the component; the tools are not tied to a compiler.
		bins, _ = filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "../*/lib/rustlib/*/bin/llvm-objcopy"))
	}
	if len(bins) == 0 {
		t.Skip("no toolchain with llvm-tools here")
	}
	dir := filepath.Dir(bins[0])
	return Tools{NM: filepath.Join(dir, "llvm-nm"), Objcopy: bins[0], Ar: filepath.Join(dir, "llvm-ar"), Run: run}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
