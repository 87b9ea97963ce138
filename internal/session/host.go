package session

import (
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/foldcase"
	"github.com/pannous/redox-clif/internal/hostpackage"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// hostMachine is this machine, as the doctor and builds of toolchains ask it.
type hostMachine struct{ s *Session }

// Host is this machine, as the doctor and builds of toolchains ask it.
func (s *Session) Host() hostMachine { return hostMachine{s} }

func (m hostMachine) Look(program string) string { return m.s.LookPath(program) }

func (m hostMachine) LookIn(folders []string, program string) string {
	return m.s.lookIn(folders, program)
}

func (m hostMachine) Root() fs.FS { return os.DirFS("/") }

func (m hostMachine) Run(ctx context.Context, argv ...string) (string, error) {
	stdout, stderr, err := toolchain.Exec(m.s.ToolEnv())(ctx, argv...)
	if err != nil && len(stderr) > 0 {
		err = errors.New(errs.FirstLine(string(stderr)))
	}
	return string(stdout), err
}

// FoldsCase asks the nearest folder above dir that is there and may be written.
func (m hostMachine) FoldsCase(dir string) (bool, error) {
	for {
		folds, err := foldcase.In(dir)
		parent := filepath.Dir(dir)
		if err == nil || parent == dir || !errors.Is(err, fs.ErrNotExist) {
			return folds, err
		}
		dir = parent
	}
}

// Free asks the nearest folder above dir that is there.
func (m hostMachine) Free(dir string) (int64, error) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize), nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
		}
		dir = parent
	}
}

// Machine is that of the user-space target in ELF files.
func (s *Session) Machine() (elf.Machine, error) {
	arch, _, _ := strings.Cut(s.Config.Target, "-")
	return elfcheck.MachineOf(arch)
}

// InstalledLLVM is the system's LLVM with what a compiler is built with.
func InstalledLLVM(ctx context.Context, m rustbuild.Machine, r *rustbuild.Recipe) (*rustbuild.LLVM, error) {
	l, err := rustbuild.FindLLVM(ctx, m, r.LLVM.LLVMRange)
	if err != nil {
		return nil, err
	}
	return l, rustbuild.CheckHeaders(ctx, m, l)
}

// BuildMachine is this machine for package rustbuild.
func (s *Session) BuildMachine() rustbuild.Machine {
	return rustbuild.ThisMachine(rustbuild.Machine{
		Look: s.LookPath, Run: s.Ask,
		Hint: func(debian, fedora, brew string) string {
			return hostpackage.Package{Debian: debian, Fedora: fedora, Brew: brew}.Install(hostpackage.Here())
		},
	})
}

// Ask runs a short program and returns its standard output; the error has the first line of the other one.
func (s *Session) Ask(ctx context.Context, argv ...string) (string, error) {
	return s.Host().Run(ctx, argv...)
}
