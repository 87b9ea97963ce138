package toolchain

import (
	"debug/elf"
	"debug/macho"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// foreignLLVM lists the LLVM library beside the tools that are only links: a
// rustc built against a distribution's LLVM compiles with it too, and an
// upgrade of that package changes what comes out.
//
// A distribution puts the library into the prefix of its tools (Homebrew, MacPorts, a build by hand), into a folder that versions
// share (Debian, Fedora), or into a prefix of its own (Nix), which only the tools' own load commands name.
func (t *Toolchain) foreignLLVM() listing {
	var all listing
	found, seen := map[string]string{}, map[string]bool{}
	for _, tool := range t.Tools {
		real, err := filepath.EvalSymlinks(tool)
		if err != nil || filepath.Dir(real) == filepath.Dir(tool) {
			continue
		}
		prefix := filepath.Dir(filepath.Dir(real)) // .../llvm-22
		if seen[prefix] {
			continue // the tools lie together, and the folders of a system are long
		}
		seen[prefix] = true
		all.folders = append(all.folders, filepath.Join(prefix, "lib"))
		all.folders = append(all.folders, foldersAbove(prefix)...)
		for _, library := range slices.Concat(llvmIn(filepath.Join(prefix, "lib"), ""), sharedLLVM(prefix), llvmLoadedBy(real)) {
			found["llvm/"+filepath.Base(library)] = library
		}
	}
	for name, path := range found {
		all.files = append(all.files, part{name: name, path: path})
	}
	return all
}

// sharedLLVM are the libraries of a prefix's version in the folders that several versions share.
func sharedLLVM(prefix string) []string {
	var found []string
	for _, dir := range foldersAbove(prefix) {
		found = append(found, llvmIn(dir, llvmMajor(prefix))...)
	}
	return found
}

// foldersAbove are the folders that several versions share: the one around a prefix, and Debian's in that.
func foldersAbove(prefix string) []string {
	above := filepath.Dir(prefix)
	folders := []string{above}
	for _, name := range namesIn(above) {
		if strings.HasSuffix(name, "-linux-gnu") {
			folders = append(folders, filepath.Join(above, name))
		}
	}
	return folders
}

// llvmMajor is "22" of ".../llvm-22": several versions lie side by side.
func llvmMajor(prefix string) string {
	return strings.TrimPrefix(filepath.Base(prefix), "llvm-")
}

// llvmIn are the LLVM libraries in a folder whose own names, with links followed, have the version in them.
func llvmIn(dir, version string) []string {
	var found []string
	for _, name := range namesIn(dir) {
		if !isLLVM(name) {
			continue
		}
		library, err := filepath.EvalSymlinks(filepath.Join(dir, name)) // the same file has several names
		if err == nil && strings.Contains(filepath.Base(library), version) {
			found = append(found, library)
		}
	}
	return found
}

// isLLVM tells the library by its file name: libLLVM.so.22.1, libLLVM-22.so, libLLVM.dylib.
func isLLVM(name string) bool {
	return strings.HasPrefix(name, "libLLVM") && (strings.Contains(name, ".so") || strings.HasSuffix(name, ".dylib"))
}

// namesIn lists a folder in no order, as far as it can be read: those of a system have thousands of names.
func namesIn(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	slices.Sort(names) // of two libraries of one name the same one wins everywhere
	return names
}

// llvmLoadedBy are the LLVM libraries that a program names itself, by a path or by a run path, with links followed. What the
// loader knows otherwise (the system's folders, its variables) is not asked.
func llvmLoadedBy(program string) []string {
	names, runPaths := loadCommands(program)
	var found []string
	for _, name := range names {
		if !isLLVM(path.Base(name)) {
			continue
		}
		for _, candidate := range candidates(name, runPaths, filepath.Dir(program)) {
			if library, err := filepath.EvalSymlinks(candidate); err == nil {
				found = append(found, library)
				break // the loader takes the first
			}
		}
	}
	return found
}

// loadCommands are the libraries that an ELF or Mach-O program names, and the folders that it looks into: DT_NEEDED and
// DT_RUNPATH or DT_RPATH (ld.so(8)), LC_LOAD_DYLIB and LC_RPATH (dyld(1)). A file that is neither names none.
func loadCommands(program string) (names, runPaths []string) {
	if f, err := elf.Open(program); err == nil {
		defer f.Close()
		names, _ = f.ImportedLibraries()
		for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
			paths, _ := f.DynString(tag)
			for _, list := range paths {
				runPaths = append(runPaths, filepath.SplitList(list)...)
			}
		}
		return names, runPaths
	}
	f, err := macho.Open(program)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	names, _ = f.ImportedLibraries()
	for _, load := range f.Loads {
		if r, ok := load.(*macho.Rpath); ok {
			runPaths = append(runPaths, r.Path)
		}
	}
	return names, runPaths
}

// candidates are the paths that a library's name stands for in a program that lies in dir.
func candidates(name string, runPaths []string, dir string) []string {
	beside := strings.NewReplacer("@loader_path", dir, "@executable_path", dir, "${ORIGIN}", dir, "$ORIGIN", dir)
	rest, byRunPath := strings.CutPrefix(name, "@rpath/")
	if !byRunPath && strings.Contains(name, "/") {
		return []string{beside.Replace(name)}
	}
	var paths []string
	for _, folder := range runPaths {
		paths = append(paths, filepath.Join(beside.Replace(folder), rest))
	}
	return paths
}
