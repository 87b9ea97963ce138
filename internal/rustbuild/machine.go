package rustbuild

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
)

// Machine is what a build asks of the machine.
type Machine struct {
	// Look finds a program in the user's PATH, "" when it is not there.
	Look func(program string) string
	// Glob finds files by a pattern, sorted; filepath.Glob.
	Glob func(pattern string) []string
	// Run runs a short program and returns its standard output.
	Run func(ctx context.Context, argv ...string) (string, error)
	// Hint words the command that installs packages: the names on Debian, Fedora and Homebrew.
	Hint func(debian, fedora, brew string) string
}

// Lacking is something that a build needs and the machine does not have.
type Lacking struct {
	What string // "an LLVM from 21 to 22 (llvm-config)"
	Why  string // what was found instead, may be empty
	Fix  string // the command that brings it
}

// Error is two lines.
func (l *Lacking) Error() string {
	text := "no " + l.What
	if l.Why != "" {
		text += ": " + l.Why
	}
	return text + "\n  " + l.Fix
}

// LLVM is an installed LLVM.
type LLVM struct {
	Config  string            // path of llvm-config
	Version string            // "22.1.8"
	Tools   map[string]string // paths by the names that a toolchain has them by: "rust-lld", "llvm-nm"
}

// Major is "22".
func (l *LLVM) Major() string {
	major, _, _ := strings.Cut(l.Version, ".")
	return major
}

// tools are the programs beside rust-lld, which is LLVM's lld.
var tools = []string{"llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-objdump", "llvm-readelf", "llvm-readobj", "llvm-strip"}

// FindLLVM finds the newest LLVM in the range that has everything. The errors are *Lacking.
func FindLLVM(ctx context.Context, m Machine, wanted LLVMRange) (*LLVM, error) {
	var old []string
	for _, config := range m.configs(wanted) {
		version, err := m.Run(ctx, config, "--version")
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			old = append(old, config+" does not run")
			continue
		}
		l := &LLVM{Config: config, Version: strings.TrimSpace(version)}
		major, err := strconv.Atoi(l.Major())
		if err != nil || major < wanted.Oldest || major > wanted.Newest {
			old = append(old, config+" is "+l.Version)
			continue
		}
		return l, m.tools(ctx, l)
	}
	v := strconv.Itoa(wanted.Newest)
	return nil, &Lacking{
		What: fmt.Sprintf("LLVM of version %d to %d (llvm-config)", wanted.Oldest, wanted.Newest), Why: strings.Join(old, ", "),
		Fix: m.Hint("llvm-"+v+"-dev llvm-"+v+" lld-"+v, "llvm-devel lld", "llvm lld"),
	}
}

// CheckHeaders looks for what a compiler is built with and runs without: distributions pack it separately. The error is
// a *Lacking.
func CheckHeaders(ctx context.Context, m Machine, l *LLVM) error {
	dir, err := m.Run(ctx, l.Config, "--includedir")
	if err != nil {
		return fmt.Errorf("%s --includedir: %w", l.Config, err)
	}
	if len(m.Glob(filepath.Join(strings.TrimSpace(dir), "llvm", "Config", "llvm-config.h"))) > 0 {
		return nil
	}
	return &Lacking{What: "headers of LLVM " + l.Version, Fix: m.Hint("llvm-"+l.Major()+"-dev", "llvm-devel", "llvm")}
}

// configs are the llvm-config programs there are, the most promising first, each once.
func (m Machine) configs(wanted LLVMRange) []string {
	var found []string
	for v := wanted.Newest; v >= wanted.Oldest; v-- {
		found = append(found, m.Look(fmt.Sprintf("llvm-config-%d", v)), fmt.Sprintf("/usr/lib/llvm-%d/bin/llvm-config", v), fmt.Sprintf("/usr/lib64/llvm%d/bin/llvm-config", v))
		for _, prefix := range []string{"/opt/homebrew", "/usr/local"} {
			found = append(found, fmt.Sprintf("%s/opt/llvm@%d/bin/llvm-config", prefix, v))
		}
	}
	found = append(found, m.Look("llvm-config"), "/opt/homebrew/opt/llvm/bin/llvm-config", "/usr/local/opt/llvm/bin/llvm-config")
	seen := map[string]bool{"": true}
	var there []string
	for _, path := range found {
		if !seen[path] && len(m.Glob(path)) > 0 {
			there = append(there, path)
		}
		seen[path] = true
	}
	return there
}

// tools finds the programs of an LLVM: beside its own, or in PATH with its version in the name.
func (m Machine) tools(ctx context.Context, l *LLVM) error {
	bin, err := m.Run(ctx, l.Config, "--bindir")
	if err != nil {
		return fmt.Errorf("%s --bindir: %w", l.Config, err)
	}
	bin = strings.TrimSpace(bin)
	l.Tools = map[string]string{}
	missing := &multierror.Error{ErrorFormat: errs.Lines}
	for _, name := range tools {
		if l.Tools[name] = m.tool(bin, name, l.Major()); l.Tools[name] == "" {
			missing = multierror.Append(missing, &Lacking{What: name + " of LLVM " + l.Version, Fix: m.Hint("llvm-"+l.Major(), "llvm", "llvm")})
		}
	}
	// lld is a package of its own everywhere.
	lld := m.tool(bin, "lld", l.Major())
	for _, prefix := range []string{"/opt/homebrew", "/usr/local"} {
		if lld == "" && len(m.Glob(prefix+"/opt/lld/bin/lld")) > 0 {
			lld = prefix + "/opt/lld/bin/lld"
		}
	}
	if l.Tools["rust-lld"] = lld; lld == "" {
		missing = multierror.Append(missing, &Lacking{What: "lld of LLVM " + l.Version, Fix: m.Hint("lld-"+l.Major(), "lld", "lld")})
	}
	return missing.ErrorOrNil()
}

func (m Machine) tool(bin, name, major string) string {
	if path := filepath.Join(bin, name); len(m.Glob(path)) > 0 {
		return path
	}
	return m.Look(name + "-" + major)
}

// Programs are what x.py runs, by path. The last two are "" where LLVM is not compiled.
type Programs struct{ Python, CC, CXX, CMake, Ninja string }

// wantedProgram is a program, the names it may have and those of its packages.
type wantedProgram struct {
	path                       *string
	what, debian, fedora, brew string
	names                      []string
}

// FindPrograms finds them, and those that compile LLVM if that is wanted. The errors are *Lacking, all of them at once.
func FindPrograms(ctx context.Context, m Machine, ownLLVM bool) (*Programs, error) {
	p := &Programs{}
	missing := &multierror.Error{ErrorFormat: errs.Lines}
	wanted := []wantedProgram{
		{&p.Python, "Python 3 (rustc's x.py is written in it)", "python3", "python3", "python", []string{"python3", "python"}},
		{&p.CC, "C compiler", "gcc libc6-dev", "gcc", "!xcode-select --install", []string{"cc"}},
		{&p.CXX, "C++ compiler (rustc's side of LLVM is written in it)", "g++", "gcc-c++", "!xcode-select --install", []string{"c++"}},
	}
	if ownLLVM {
		wanted = append(wanted, wantedProgram{&p.CMake, "CMake (LLVM is configured by it)", "cmake", "cmake", "cmake", []string{"cmake"}},
			wantedProgram{&p.Ninja, "Ninja (LLVM is compiled by it)", "ninja-build", "ninja-build", "ninja", []string{"ninja", "ninja-build"}})
	}
	for _, want := range wanted {
		for _, name := range want.names {
			if *want.path == "" {
				*want.path = m.Look(name)
			}
		}
		if *want.path == "" {
			missing = multierror.Append(missing, &Lacking{What: want.what, Fix: m.Hint(want.debian, want.fedora, want.brew)})
		}
	}
	if p.Python != "" {
		const oldest = 6 // what x.py of 1.96 asks for is 3.6
		out, err := m.Run(ctx, p.Python, "-c", "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)")
		var major, minor int
		var program string
		if _, scanErr := fmt.Sscan(out, &major, &minor, &program); err != nil || scanErr != nil || major != 3 || minor < oldest {
			missing = multierror.Append(missing, &Lacking{What: "Python 3 that runs", Why: p.Python, Fix: m.Hint("python3", "python3", "python")})
		}
		p.Python = program // the real one: what PATH has may be a script that goes by the user's settings
	}
	if p.CMake != "" {
		missing = multierror.Append(missing, checkCMake(ctx, m, p.CMake))
	}
	return p, missing.ErrorOrNil()
}

// checkCMake compares CMake's version with what LLVM's CMakeLists.txt asks for.
func checkCMake(ctx context.Context, m Machine, cmake string) error {
	const oldestMajor, oldestMinor = 3, 20
	out, err := m.Run(ctx, cmake, "--version")
	var major, minor int
	if _, scanErr := fmt.Sscanf(out, "cmake version %d.%d", &major, &minor); err != nil || scanErr != nil {
		return &Lacking{What: "CMake that runs", Why: cmake, Fix: m.Hint("cmake", "cmake", "cmake")}
	}
	if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return &Lacking{What: fmt.Sprintf("CMake from %d.%d on", oldestMajor, oldestMinor), Why: fmt.Sprintf("%s is %d.%d", cmake, major, minor), Fix: m.Hint("cmake", "cmake", "cmake")}
	}
	return nil
}

// HostTriple is rustc's name of this machine.
func HostTriple() string {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	if runtime.GOOS == "darwin" {
		return arch + "-apple-darwin"
	}
	return arch + "-unknown-" + runtime.GOOS + "-gnu"
}

// realGlob is filepath.Glob for patterns that are well formed.
func realGlob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

// ThisMachine completes a Machine with the real file system.
func ThisMachine(m Machine) Machine {
	m.Glob = realGlob
	return m
}
