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
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/rustbuild/rustbuildtest"
)

var (
	fakeRecipe = strings.NewReplacer("%ARCHIVE%", "https://example.org/rustc.tar.xz", "%SHA256%", strings.Repeat("0", 64)).Replace(rustbuildtest.Recipe)
	fakeSource = rustbuildtest.Source(HostTriple())
)

const backendPatch = rustbuildtest.Patch

// kit is a build on a machine that is made up.
type kit struct {
	t     *testing.T
	build *Build
	cargo string
}

func newKit(t *testing.T) *kit { return newKitWith(t, SystemLLVM) }

// newKitWith is a kit with LLVM from somewhere.
func newKitWith(t *testing.T, llvm LLVMOrigin) *kit {
	t.Helper()
	dir, host := t.TempDir(), HostTriple()
	machine := rustbuildtest.NewMachine(t, dir, host)
	k := &kit{t: t, cargo: machine.Cargo(host)}
	k.write(filepath.Join(dir, "toolchain", Folder, "fake.toml"), fakeRecipe, 0o644)
	r, err := Load(os.DirFS(filepath.Join(dir, "toolchain")), "", llvm)
	if err != nil {
		t.Fatal(err)
	}
	k.build = &Build{Store: Store{Dir: filepath.Join(dir, "cache", "rust")}, Recipe: r, Host: host}
	if !r.OwnLLVM() {
		k.build.LLVM = &LLVM{Config: filepath.Join(machine.Bin, "llvm-config"), Version: "22.1.8", Tools: map[string]string{"rust-lld": filepath.Join(machine.Bin, "lld")}}
		for _, name := range tools {
			k.build.LLVM.Tools[name] = filepath.Join(machine.Bin, name)
		}
	}
	k.patches(backendPatch)
	return k
}

func (k *kit) write(path, text string, mode os.FileMode) {
	k.t.Helper()
	rustbuildtest.Write(k.t, path, text, mode)
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
	for name, text := range rustbuildtest.Source(k.build.Host) {
		if k.build.Recipe.Source.Wants(name) {
			k.write(filepath.Join(dest, name), text, 0o755)
		}
	}
	return nil
}

func (k *kit) extractAndPatch() []string {
	k.t.Helper()
	return k.patched().Written
}

func (k *kit) patched() *Patched {
	k.t.Helper()
	if err := k.build.Extract(k.export); err != nil {
		k.t.Fatal(err)
	}
	done, err := k.build.Patch(k.t.Context(), patch.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	return done
}

func (k *kit) stage0() Stage0 {
	return Stage0{Rustc: filepath.Join(filepath.Dir(k.cargo), "rustc"), Cargo: k.cargo}
}

// command is the x.py of the kit: a shell script in place of one in Python.
func (k *kit) command() *Command {
	k.t.Helper()
	return k.commandKeeping(false)
}

func (k *kit) commandKeeping(std bool) *Command {
	k.t.Helper()
	c, err := k.build.Command(&Programs{Python: "/bin/sh", CC: "/usr/bin/cc", CXX: "/usr/bin/c++"}, k.stage0(), 2, std)
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

func ask(ctx context.Context, argv ...string) (string, error) {
	out, err := process.Output(ctx, []string{"PATH=/usr/bin:/bin"}, argv...)
	return string(out), err
}

// std extracts, patches, and says what is known of the host's std.
func (k *kit) std() *Std {
	k.t.Helper()
	std, err := k.build.Std(k.stage0(), k.patched())
	if err != nil {
		k.t.Fatal(err)
	}
	return std
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
	std := k.std()
	if err := errors.Join(std.Begin(), k.commandKeeping(std.Kept()).Run(k.t.Context(), func(string) {}), std.Done()); err != nil {
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
