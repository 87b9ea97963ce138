package linkline

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// record has the recorder take a line in a folder.
func record(t *testing.T, dir string, args ...string) {
	t.Helper()
	recorder := filepath.Join(t.TempDir(), RecorderName)
	if err := os.WriteFile(recorder, Recorder, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", append([]string{recorder}, args...)...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// files writes files below a folder. Their content is their name.
func files(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// An exec root may lie in a folder with any name.
func newRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "with blank [and] =/brackets")
	files(t, root, "src/Cargo.toml")
	return root
}

// What rustc makes for the linker alone is gone when it ends; the line has it all the same, and names no folder of this
// machine.
func TestALineOutlivesTheFolderItWasRecordedIn(t *testing.T) {
	root := newRoot(t)
	deps := filepath.Join(root, "target/t/release/deps")
	std := filepath.Join(t.TempDir(), "shared")
	files(t, std, "lib/libcore.rlib")
	if err := os.Symlink(std, filepath.Join(root, "std")); err != nil {
		t.Fatal(err)
	}
	files(t, deps, "rustcAbCdEf/symbols.o", "rustcAbCdEf/list", "hello-1.hello.2-cgu.0.rcgu.o", "libdep-3.rlib")
	files(t, root, "target/t/release/build/out/libc_part.a", "target/t/release/build/out/notes.txt", "target/t/release/build/out/memory.x", "src/flat.ld", "src/more.ld")
	real, _ := filepath.EvalSymlinks(std)
	record(t, filepath.Join(root, "src"), "-flavor", "gnu", "crt0.o", deps+"/rustcAbCdEf/symbols.o", deps+"/hello-1.hello.2-cgu.0.rcgu.o",
		"--version-script="+deps+"/rustcAbCdEf/list", "-lc_part", deps+"/libdep-3.rlib", deps+"/libdep-3.rlib",
		root+"/std/lib/libcore.rlib", real+"/lib/libcore.rlib",
		"-L", deps+"/rustcAbCdEf/raw-dylibs", "-L", root+"/target/t/release/build/out", "-L"+root+"/sysroot/lib", "-z", "muldefs",
		"-T", "flat.ld", "-T"+root+"/src/more.ld", "-Ttext=0x1000", "-Map="+root+"/out/map", "-o", deps+"/hello-1", Arguments, "crtn.o")
	for _, gone := range []string{"rustcAbCdEf", "hello-1.hello.2-cgu.0.rcgu.o"} {
		if err := os.RemoveAll(filepath.Join(deps, gone)); err != nil {
			t.Fatal(err)
		}
	}
	line, err := Read(filepath.Join(deps, "hello-1"), Place{Root: root, Given: []string{"std", "sysroot"}, Output: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"-flavor", "gnu", "crt0.o", "%{root}/in/symbols.o", "%{root}/in/hello-1.hello.2-cgu.0.rcgu.o",
		"--version-script=%{root}/in/list", "-lc_part", "%{root}/in/libdep-3.rlib", "%{root}/in/libdep-3.rlib",
		"%{root}/std/lib/libcore.rlib", "%{root}/std/lib/libcore.rlib",
		"-L", "%{root}/in/L0", "-L", "%{root}/in/L1", "-L%{root}/sysroot/lib", "-z", "muldefs",
		"-T", "%{root}/in/flat.ld", "-T%{root}/in/more.ld", "-Ttext=0x1000", "-Map=%{root}/out/map", "-o", "%{root}/out/hello", "-lm", "crtn.o"}
	args, err := DecodeArgs(line.Encode(), []string{"-lm"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, args); diff != "" {
		t.Error(diff)
	}
	got := map[string]string{}
	for name, at := range line.Files {
		text, err := os.ReadFile(at)
		if err != nil {
			t.Error(err)
		}
		got[name] = filepath.Base(string(text))
	}
	wantFiles := map[string]string{"symbols.o": "symbols.o", "list": "list", "hello-1.hello.2-cgu.0.rcgu.o": "hello-1.hello.2-cgu.0.rcgu.o",
		"libdep-3.rlib": "libdep-3.rlib", "L1/libc_part.a": "libc_part.a", "L1/memory.x": "memory.x", "flat.ld": "flat.ld", "more.ld": "more.ld"}
	if diff := cmp.Diff(wantFiles, got); diff != "" {
		t.Error(diff)
	}
}

// A line that is too long for the system comes in a file, where rustc puts backslashes before blanks.
func TestALineInAResponseFile(t *testing.T) {
	root := newRoot(t)
	object := filepath.Join(root, "a b.o")
	files(t, root, "a b.o")
	response := filepath.Join(root, "rustcAbCdEf/linker-arguments")
	escape := strings.NewReplacer(`\`, `\\`, " ", `\ `).Replace
	var text string
	for _, arg := range []string{object, "-o", root + "/x", `-back\slash`, Arguments} {
		text += escape(arg) + "\n"
	}
	files(t, root, "rustcAbCdEf/linker-arguments")
	if err := os.WriteFile(response, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	record(t, root, "-flavor", "gnu", "@"+response)
	line, err := Read(root+"/x", Place{Root: root, Output: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-flavor", "gnu", "%{root}/in/a b.o", "-o", "%{root}/out/x", `-back\slash`, Arguments}, line.Args); diff != "" {
		t.Error(diff)
	}
}

func TestALineOfMicrosoftsLinker(t *testing.T) {
	root := newRoot(t)
	files(t, root, "d/rustcAbCdEf/lib.def", "d/a.o", "d/liba-1.rlib", "lib/k.lib")
	record(t, root, "-flavor", "link", "/NOLOGO", "/DEF:"+root+"/d/rustcAbCdEf/lib.def", root+"/d/a.o", root+"/d/liba-1.rlib",
		"/LIBPATH:"+root+"/lib", "k.lib", "/OUT:"+root+"/d/boot-1.efi", "/OPT:REF,ICF", Arguments)
	line, err := Read(root+"/d/boot-1.efi", Place{Root: root, Output: "boot.efi"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"-flavor", "link", "/NOLOGO", "/DEF:%{root}/in/lib.def", "%{root}/in/a.o", "%{root}/in/liba-1.rlib",
		"/LIBPATH:%{root}/in/L0", "%{root}/in/k.lib", "/OUT:%{root}/out/boot.efi", "/OPT:REF,ICF", Arguments}
	if diff := cmp.Diff(want, line.Args); diff != "" {
		t.Error(diff)
	}
}

// Cargo has a hard link to what the recorder wrote before; and nothing of an earlier line is left.
func TestARecordingTakesTheLastOnesPlace(t *testing.T) {
	root := newRoot(t)
	files(t, root, "a.o", "b.o")
	program, seen := root+"/x", root+"/seen"
	record(t, root, root+"/a.o", root+"/b.o", "-o", program)
	if err := os.Link(program, seen); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(seen)
	record(t, root, root+"/a.o", "-o", program)
	if after, _ := os.ReadFile(seen); string(before) != string(after) {
		t.Error("what cargo has was written to")
	}
	if left, _ := os.ReadDir(program + ".link"); len(left) != 1 {
		t.Errorf("left are %v", left)
	}
}

// Two files of one name are two files.
func TestFilesOfOneName(t *testing.T) {
	root := newRoot(t)
	files(t, root, "a/x.o", "b/x.o", "c/x.o")
	record(t, root, root+"/a/x.o", root+"/b/x.o", root+"/c/x.o", "-o", root+"/x")
	line, err := Read(root+"/x", Place{Root: root, Output: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(line.Files) != 3 || len(slices.Compact(slices.Sorted(slices.Values(line.Args)))) != 5 {
		t.Errorf("%q %q", line.Args, line.Files)
	}
}

func TestWhatIsNoLineIsAnError(t *testing.T) {
	root := newRoot(t)
	files(t, root, "program", "a.o")
	if _, err := Read(root+"/program", Place{Root: root}); err == nil || !strings.Contains(err.Error(), "did not use the recorder") {
		t.Errorf("got %v", err)
	}
	record(t, root, root+"/a.o", "-o", root+"/x")
	if err := os.RemoveAll(root + "/x.link"); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(root + "/a.o")
	var gone *GoneError
	if _, err := Read(root+"/x", Place{Root: root}); !errors.As(err, &gone) || gone.Path != root+"/a.o" {
		t.Errorf("got %v", err)
	}
	if _, err := DecodeArgs([]byte("-flavor\x00gnu"), nil); err == nil {
		t.Error("a line without a place for the step's arguments was read")
	}
}

func TestSplitFlags(t *testing.T) {
	for text, want := range map[string][2]string{
		"-Copt-level=2":                              {"-Copt-level=2", ""},
		"-Clink-arg=-lm --cap-lints=warn":            {"--cap-lints=warn", "-lm"},
		"-C link-arg=-lm -C opt-level=1":             {"-C opt-level=1", "-lm"},
		"--codegen link_arg=-z --codegen=link-arg=x": {"", "-z x"},
		"-Clink-arg=-T -Clink-arg=%{root}/src/a.ld":  {"-Clink-arg=-T -Clink-arg=%{root}/src/a.ld", ""},
		"--cfg link-arg=x":                           {"--cfg link-arg=x", ""},
		"-C":                                         {"-C", ""},
	} {
		rest, args := SplitFlags(strings.Fields(text))
		if got := [2]string{strings.Join(rest, " "), strings.Join(args, " ")}; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	if _, args := SplitFlags([]string{"-Clink-args=-z now"}); !slices.Equal(args, []string{"-z", "now"}) {
		t.Errorf("got %q", args)
	}
}

func TestUndefined(t *testing.T) {
	said := `rust-lld: error: undefined symbol: open
>>> referenced by crt0.bf04-cgu.0
>>>               /x/sysroot/lib/crt0.o:(_start)

rust-lld: error: undefined hidden symbol: foo::bar(int)
>>> referenced by main.rs:3 (src/main.rs:3)
>>>               init-0123456789abcdef.init.62-cgu.0.rcgu.o:(init::main)
>>> referenced by main.rs:5 (src/main.rs:5)
>>>               other-0123456789abcdef.x.rcgu.o:(other::f) in archive /x/libother-0123456789abcdef.rlib

rust-lld: error: undefined symbol: a
rust-lld: error: undefined symbol: b
>>> referenced by lib.rs
>>>               s.o:(s::<T as U>::f(int)) in archive /x/with blank/libs-0123456789abcdef.rlib
`
	all := Undefined(said)
	want := []UndefinedSymbol{{"open", "crt0.o", "_start"}, {"foo::bar(int)", "init", "init::main"}, {"a", "", ""}, {"b", "s", "s::<T as U>::f(int)"}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	if got := Describe(all); got != "undefined symbol: open (wanted by crt0.o in _start); undefined symbol: foo::bar(int) (wanted by init in init::main); undefined symbol: a; and 1 more" {
		t.Errorf("got %q", got)
	}
	if all := Undefined("rust-lld: error: unable to find library -lfoo\n"); all != nil {
		t.Errorf("got %v", all)
	}
}
