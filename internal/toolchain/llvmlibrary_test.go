package toolchain

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machO is a program for arm64 that names libraries and run paths, and has nothing else.
func machO(t *testing.T, libraries, runPaths []string) string {
	t.Helper()
	var commands bytes.Buffer
	count := 0
	command := func(kind macho.LoadCmd, fixed []uint32, text string) {
		head := 4 * (2 + 1 + len(fixed)) // command, size, offset of the text, the rest
		size := (head + len(text) + 8) &^ 7
		at := commands.Len()
		for _, number := range slices.Concat([]uint32{uint32(kind), uint32(size), uint32(head)}, fixed) {
			_ = binary.Write(&commands, binary.LittleEndian, number) // a buffer takes everything
		}
		commands.WriteString(text)
		commands.Write(make([]byte, at+size-commands.Len()))
		count++
	}
	for _, library := range libraries {
		command(macho.LoadCmdDylib, []uint32{2, 0, 0}, library) // time, versions
	}
	for _, path := range runPaths {
		command(macho.LoadCmdRpath, nil, path)
	}
	var file bytes.Buffer
	header := macho.FileHeader{Magic: macho.Magic64, Cpu: macho.CpuArm64, Type: macho.TypeExec, Ncmd: uint32(count), Cmdsz: uint32(commands.Len())}
	if err := errors.Join(binary.Write(&file, binary.LittleEndian, header), binary.Write(&file, binary.LittleEndian, uint32(0))); err != nil {
		t.Fatal(err)
	}
	return file.String() + commands.String()
}

// TestForeignLLVM: wherever a package manager puts the LLVM that tools are linked with, its library is in the identity, and an
// upgrade changes that.
func TestForeignLLVM(t *testing.T) {
	for name, layout := range map[string]struct {
		tool  string            // that the toolchain's llvm-nm leads to
		text  string            // what is in the tool
		files map[string]string // by slash path
		links map[string]string
		want  []string
		// library is the path that an upgrade writes anew.
		library string
	}{
		"Homebrew": {
			tool: "opt/homebrew/opt/llvm/bin/llvm-nm", text: machO(t, []string{"@rpath/libLLVM.dylib", "/usr/lib/libSystem.B.dylib"}, []string{"@loader_path/../lib"}),
			files:   map[string]string{"opt/homebrew/Cellar/llvm/22.1.8/lib/libLLVM.dylib": "22", "opt/homebrew/Cellar/llvm/22.1.8/lib/libLTO.dylib": "no"},
			links:   map[string]string{"opt/homebrew/opt/llvm": "../Cellar/llvm/22.1.8", "opt/homebrew/Cellar/llvm/22.1.8/lib/libLLVM-22.dylib": "libLLVM.dylib"},
			want:    []string{"llvm/libLLVM.dylib"},
			library: "opt/homebrew/Cellar/llvm/22.1.8/lib/libLLVM.dylib",
		},
		"MacPorts": {
			tool: "opt/local/libexec/llvm-22/bin/llvm-nm", files: map[string]string{"opt/local/libexec/llvm-22/lib/libLLVM.dylib": "22", "opt/local/libexec/llvm-21/lib/libLLVM.dylib": "21"},
			want: []string{"llvm/libLLVM.dylib"}, library: "opt/local/libexec/llvm-22/lib/libLLVM.dylib",
		},
		"Nix, where a library has a prefix of its own": {
			tool: "nix/store/a-llvm-22.1.8/bin/llvm-nm", text: "NIX", files: map[string]string{"nix/store/b-llvm-22.1.8-lib/lib/libLLVM.dylib": "22"},
			want: []string{"llvm/libLLVM.dylib"}, library: "nix/store/b-llvm-22.1.8-lib/lib/libLLVM.dylib",
		},
		"Debian": {
			tool: "usr/lib/llvm-22/bin/llvm-nm", files: map[string]string{"usr/lib/aarch64-linux-gnu/libLLVM.so.22.1": "22", "usr/lib/aarch64-linux-gnu/libLLVM.so.14.0": "14"},
			links: map[string]string{"usr/lib/llvm-22/lib/libLLVM-22.so": "../../aarch64-linux-gnu/libLLVM.so.22.1"},
			want:  []string{"llvm/libLLVM.so.22.1"}, library: "usr/lib/aarch64-linux-gnu/libLLVM.so.22.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
			for name, text := range layout.files {
				write(t, at(name), text, 0o755)
			}
			for name, to := range layout.links {
				if err := errors.Join(os.MkdirAll(filepath.Dir(at(name)), 0o755), os.Symlink(to, at(name))); err != nil {
					t.Fatal(err)
				}
			}
			if layout.text == "NIX" { // whose paths are absolute
				layout.text = machO(t, []string{at(layout.library)}, nil)
			}
			write(t, at(layout.tool), layout.text, 0o755)
			dir := fakeToolchain(t, at("toolchain"))
			nm := filepath.Join(dir, "lib/rustlib", host, "bin/llvm-nm")
			if err := errors.Join(os.Remove(nm), os.Symlink(at(layout.tool), nm)); err != nil {
				t.Fatal(err)
			}
			open := func() *Identity {
				found, err := Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				return identityOf(t, found)
			}
			before := open()
			files := maps.Clone(before.Files)
			maps.DeleteFunc(files, func(name, _ string) bool { return filepath.Dir(name) != "llvm" })
			if diff := cmp.Diff(layout.want, slices.Sorted(maps.Keys(files))); diff != "" {
				t.Error(diff)
			}
			write(t, at(layout.library), "an upgrade", 0o755)
			if open().Digest == before.Digest {
				t.Error("an upgrade of LLVM is not seen")
			}
		})
	}
}

// TestLibraryNames: what a loader's name of a library stands for.
func TestLibraryNames(t *testing.T) {
	for _, c := range []struct {
		name string
		run  []string
		want []string
	}{
		{"@rpath/libLLVM.dylib", []string{"@loader_path/../lib", "/opt/lib"}, []string{"/p/lib/libLLVM.dylib", "/opt/lib/libLLVM.dylib"}},
		{"@loader_path/libLLVM.dylib", nil, []string{"/p/bin/libLLVM.dylib"}},
		{"/nix/store/x/lib/libLLVM.dylib", []string{"/y"}, []string{"/nix/store/x/lib/libLLVM.dylib"}},
		{"libLLVM.so.22.1", []string{"$ORIGIN/../lib", "${ORIGIN}/x"}, []string{"/p/lib/libLLVM.so.22.1", "/p/bin/x/libLLVM.so.22.1"}},
		{"libLLVM.so.22.1", nil, nil},
	} {
		if diff := cmp.Diff(c.want, candidates(c.name, c.run, "/p/bin")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
