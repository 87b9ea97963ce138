package rustbuild

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A toolchain with an LLVM of its own: nothing of the system's is in it or asked for.
func TestOwnLLVM(t *testing.T) {
	k := newKitWith(t, BootstrapLLVM)
	dir := k.whole()
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.LLVMFrom != BootstrapLLVM || m.LLVM != string(BootstrapLLVM) || !slices.Equal(m.Tools, []string{"llvm-readelf"}) {
		t.Errorf("manifest %+v", m)
	}
	settings, err := os.ReadFile(filepath.Join(k.build.Source(), "bootstrap.toml"))
	if err != nil || strings.Contains(string(settings), "llvm-config") || !strings.Contains(string(settings), "targets = 'X86'") || !strings.Contains(string(settings), "channel = 'nightly'") {
		t.Errorf("settings %s, %v", settings, err)
	}
	for name, want := range map[string]bool{"llvm.cpp": true, "test": false} {
		if exists(filepath.Join(k.build.Source(), "src", "llvm-project", name)) != want {
			t.Errorf("%s there: %v", name, !want)
		}
	}
	system := newKit(t)
	other, err := system.build.Inputs()
	if err != nil || strings.Join(m.Differences(other), ", ") != "LLVM, flags" {
		t.Errorf("differences %v, %v", m.Differences(other), err)
	}
	if system.build.Recipe.Needs.DiskMiB != 10 || k.build.Recipe.Needs.DiskMiB != 40 {
		t.Errorf("disk %d and %d MiB", system.build.Recipe.Needs.DiskMiB, k.build.Recipe.Needs.DiskMiB)
	}
	if filepath.Base(k.build.Work()) != "fake.llvm" {
		t.Errorf("built in %s", k.build.Work())
	}
}

// It is packed with its tools, and taken where there is no LLVM at all.
func TestOwnLLVMIsPacked(t *testing.T) {
	k := newKitWith(t, BootstrapLLVM)
	file, sum := k.pack()
	u := k.unpacker()
	u.FindLLVM = nil
	dir, _, err := u.Unpack(t.Context(), file, sum)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"rust-lld"}, tools...) {
		if out, err := ask(t.Context(), filepath.Join(dir, "lib", "rustlib", k.build.Host, "bin", name)); err != nil || out == "" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	broken := k.tarXZ(k.read(file)[:1]...)
	if _, _, err := u.Unpack(t.Context(), broken, ""); err == nil {
		t.Error("one without its files was taken")
	}
}

// The folder of a build with LLVM is collected under the lock of its toolchain's name.
func TestOwnLLVMIsCollected(t *testing.T) {
	k := newKitWith(t, BootstrapLLVM)
	k.whole()
	items, err := k.build.Store.Items()
	if err != nil || len(items) != 1 {
		t.Fatalf("%+v, %v", items, err)
	}
	lock, err := k.build.Store.Lock(t.Context(), "fake", func() {})
	if err != nil {
		t.Fatal(err)
	}
	if removed, err := k.build.Store.Remove(items[0]); err != nil || removed {
		t.Errorf("it was collected while it is built: %v", err)
	}
	lock.Release()
	if removed, err := k.build.Store.Remove(items[0]); err != nil || !removed || exists(k.build.Work()) {
		t.Errorf("not collected: %v", err)
	}
}

// A run that is stopped within LLVM goes on there.
func TestOwnLLVMGoesOn(t *testing.T) {
	k := newKitWith(t, BootstrapLLVM)
	k.extractAndPatch()
	k.write(filepath.Join(k.build.Source(), "hang"), "llvm3", 0o644)
	p := &Progress{}
	ctx, stop := context.WithCancel(t.Context())
	err := k.command().Run(ctx, func(line string) {
		if p.Line(line); strings.Contains(line, "lib/3.o") {
			stop()
		}
	})
	if err == nil || exists(filepath.Join(k.build.Source(), "build", "llvm", "3")) {
		t.Fatalf("it was not stopped: %v", err)
	}
	if text := p.Status(); text != "LLVM 3 of 4" {
		t.Errorf("status %q", text)
	}
	_ = os.Remove(filepath.Join(k.build.Source(), "hang"))
	var lines []string
	again := &Progress{}
	if err := k.command().Run(t.Context(), func(line string) {
		again.Line(line)
		lines = append(lines, line)
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(lines, "[2/2] Building CXX object lib/4.o") || slices.Contains(lines, "[1/4] Building CXX object lib/1.o") {
		t.Errorf("it did not go on:\n%s", strings.Join(lines, "\n"))
	}
}

func TestChooseLLVM(t *testing.T) {
	load := func(text string, llvm LLVMOrigin) (*Recipe, error) {
		return Load(fstest.MapFS{Folder + "/fake.toml": {Data: []byte(text)}}, "fake", llvm)
	}
	for _, test := range []struct {
		text string
		llvm LLVMOrigin
		want string
	}{
		{fakeRecipe, "here", `not from "here"`},
		{strings.Replace(fakeRecipe, "disk-mib = 30", "", 1), BootstrapLLVM, "llvm.bootstrap needs settings and disk-mib"},
	} {
		if _, err := load(test.text, test.llvm); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
	said := strings.Replace(fakeRecipe, "oldest = 21", "oldest = 21\nfrom = \"bootstrap\"", 1)
	for _, test := range []struct {
		text string
		llvm LLVMOrigin
		own  bool
	}{{fakeRecipe, "", false}, {fakeRecipe, BootstrapLLVM, true}, {said, "", true}, {said, SystemLLVM, false}} {
		if r, err := load(test.text, test.llvm); err != nil || r.OwnLLVM() != test.own {
			t.Errorf("%q: own %v, %v", test.llvm, !test.own, err)
		}
	}
}

func TestFindCMakeAndNinja(t *testing.T) {
	f := &fakeMachine{files: []string{"/usr/bin/cc", "/usr/bin/c++", "/usr/bin/python3"}, prints: map[string]string{"/usr/bin/python3 -c": "3 11 /real/python3\n", "/usr/bin/cmake --version": "cmake version 3.25.1\n\nCMake suite\n"}}
	_, err := FindPrograms(t.Context(), f.machine(), true)
	for _, want := range []string{"no CMake (LLVM is configured by it)\n  apt install cmake", "apt install ninja-build"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: no %s", err, want)
		}
	}
	f.files = append(f.files, "/usr/bin/cmake", "/usr/bin/ninja-build")
	p, err := FindPrograms(t.Context(), f.machine(), true)
	if err != nil || p.CMake != "/usr/bin/cmake" || p.Ninja != "/usr/bin/ninja-build" {
		t.Errorf("%+v, %v", p, err)
	}
	f.prints["/usr/bin/cmake --version"] = "cmake version 3.16.3\n"
	if _, err := FindPrograms(t.Context(), f.machine(), true); err == nil || !strings.Contains(err.Error(), "no CMake from 3.20 on: /usr/bin/cmake is 3.16") {
		t.Errorf("%v", err)
	}
}
