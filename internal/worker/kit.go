package worker

import (
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
)

// Names in the folder that a worker is given. Its inputs are where the command works; what else it needs is beside.
const (
	workFolder      = "w"
	toolchainFolder = "toolchain"
	launcherName    = "launch"
)

// kit is what every worker gets besides the inputs of a command.
type kit struct {
	// dirs and files are what lies beside the working folder.
	dirs  map[string]cas.Digest
	files map[string]cas.Entry
	// paths are the files of this machine that are in no store, by their digests.
	paths    map[cas.Digest]string
	launcher cas.Entry
	// tools are the paths in the toolchain's folder, files and folders.
	tools map[string]bool
}

// makeKit looks at the toolchain and at what it needs of the system, and stores the folders of that. The files stay where they are.
func makeKit(ctx context.Context, s Settings) (*kit, error) {
	launcher, err := s.Launcher(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the launcher: %w", err)
	}
	parts, err := s.Toolchain(ctx)
	if err != nil {
		return nil, err
	}
	k := &kit{dirs: map[string]cas.Digest{}, files: map[string]cas.Entry{}, paths: map[cas.Digest]string{}, tools: map[string]bool{}}
	stats := cas.OpenStatCache(s.Stats)
	if k.launcher, err = k.add(launcher, stats); err != nil {
		return nil, err
	}
	k.files[launcherName] = k.launcher
	tools := cas.NewTree()
	for name, file := range parts {
		if tools.Entries[name], err = k.add(file, stats); err != nil {
			return nil, err
		}
		for at := name; at != "."; at = path.Dir(at) {
			k.tools[at] = true
		}
	}
	if k.dirs[toolchainFolder], err = s.Store.PutTree(tools); err != nil {
		return nil, err
	}
	if err := k.addSystem(s.Store, parts, stats); err != nil {
		return nil, err
	}
	_ = stats.Save() // one that cannot be kept is made again
	return k, nil
}

// add takes a file of this machine.
func (k *kit) add(file string, stats *cas.StatCache) (cas.Entry, error) {
	info, err := os.Stat(file)
	if err != nil {
		return cas.Entry{}, err
	}
	real, err := filepath.EvalSymlinks(file) // what the digests are kept by is the file, not a link to it
	if err != nil {
		return cas.Entry{}, err
	}
	d, err := stats.DigestFile(real)
	k.paths[d] = real
	return cas.Entry{Digest: d, Executable: info.Mode()&0o100 != 0}, err
}

// addSystem adds the system's shared libraries that the toolchain's programs are linked with, at the places where a dynamic linker looks for
// them. A worker whose file system is the folder that it is given has no others; one with a system of its own does not see them.
func (k *kit) addSystem(store *cas.Store, parts map[string]string, stats *cas.StatCache) error {
	system := cas.NewTree()
	for at, file := range systemLibraries(parts) {
		e, err := k.add(file, stats)
		if err != nil {
			return err
		}
		system.Entries[at] = e
	}
	root, err := store.PutTree(system)
	if err != nil {
		return err
	}
	top, err := store.LoadDirectory(root)
	if err != nil {
		return err
	}
	for _, d := range top.Dirs {
		k.dirs[d.Name] = d.Digest
	}
	return nil
}

// libraryFolders are where a system has its shared libraries.
var libraryFolders = []string{"/lib", "/usr/lib", "/lib64", "/usr/lib64"}

// systemLibraries finds the libraries that the programs of a toolchain need and that are not among its files, and those that they need, with
// the dynamic linker. They are by the paths, without the first slash, that they are to have. One that is not found is left out: a system
// may have it where nobody knows.
func systemLibraries(parts map[string]string) map[string]string {
	own := map[string]bool{}
	var left []string
	for name, file := range parts {
		own[path.Base(name)] = true
		if !strings.HasPrefix(name, "lib/rustlib/src/") {
			left = append(left, file)
		}
	}
	slices.Sort(left)
	found, seen := map[string]string{}, map[string]bool{}
	for len(left) > 0 {
		file := left[0]
		left = left[1:]
		if seen[file] {
			continue
		}
		seen[file] = true
		needed, linker := asks(file)
		if linker != "" {
			found[strings.TrimPrefix(linker, "/")] = linker
			own[path.Base(linker)] = true
		}
		for _, name := range needed {
			if own[name] {
				continue
			}
			own[name] = true
			if at := inSystem(name); at != "" {
				found[strings.TrimPrefix(strings.TrimPrefix(at, "/usr"), "/")] = at
				left = append(left, at)
			}
		}
	}
	return found
}

// asks says what a file asks a system for before it can run: shared libraries and a dynamic linker. A file of another kind asks for nothing.
func asks(file string) (libraries []string, linker string) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, ""
	}
	defer f.Close()
	if libraries, err = f.ImportedLibraries(); err != nil {
		return nil, ""
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err == nil {
			linker = strings.TrimRight(string(text), "\x00")
		}
	}
	return libraries, linker
}

// inSystem is the path of a shared library of the system, "" when it has none of that name.
func inSystem(name string) string {
	for _, dir := range libraryFolders {
		at, err := filepath.Glob(filepath.Join(dir, "*-linux-gnu*", name))
		if err != nil {
			return ""
		}
		for _, file := range append(at, filepath.Join(dir, name)) {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				return file
			}
		}
	}
	return ""
}
