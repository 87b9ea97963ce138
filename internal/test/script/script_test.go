// Package script runs what a user types, testdata/script/*.txtar, against the compiled targets (mage) and `go tool mage` (front).
//
// Scripts marked [e2e] need the real compilers and QEMU; REDOX_TEST_E2E=1 turns them on. They
// share one cache so that the standard library is prepared once.
package script

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pannous/redox-clif/internal/test/checkout"
	"github.com/pannous/redox-clif/internal/test/wants"
)

const root = "../../.."

func TestScripts(t *testing.T) {
	mage := checkout.Compile(t)
	e2e := wants.E2E.Given() == "1"
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(root, "testdata", "script"),
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return setup(env, mage) },
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "e2e":
				return e2e, nil
			case "cranelift":
				return wants.Cranelift.Given() != "", nil
			case "toolchain-build":
				return wants.ToolchainBuild.Given() == "1", nil
			case "qemu":
				_, err := exec.LookPath("qemu-system-aarch64")
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mkelf":   mkelf,
			"flip":    flip,
			"samesum": sameSum,
			"remedy":  remedy,
		},
	})
}

// setup gives a script a checkout of its own at $WORK/checkout and the targets as `mage`.
func setup(env *testscript.Env, mage string) error {
	dir, bin := filepath.Join(env.WorkDir, "checkout"), filepath.Join(env.WorkDir, "bin")
	if err := errors.Join(checkout.Copy(dir), checkout.Install(mage, bin)); err != nil {
		return err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	cache, err := sharedCache()
	if err != nil {
		return err
	}
	env.Setenv("PATH", bin+":/usr/local/bin:/usr/bin:/bin")
	env.Setenv("USERPATH", bin+":"+os.Getenv("PATH"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("USERHOME", home)
	env.Setenv("REDOX_CACHE", filepath.Join(env.WorkDir, "cache"))
	env.Setenv("SHAREDCACHE", cache)
	env.Setenv("REDOX_SANDBOX", os.Getenv("REDOX_SANDBOX"))
	env.Setenv("CRANELIFT", wants.Cranelift.Given())
	source, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	env.Setenv("SOURCE", source)
	env.Setenv("TARGET", "aarch64-unknown-redox-clif")
	env.Cd = dir
	return nil
}

// sharedCache is the cache of all end-to-end scripts; it stays for the next run of the tests.
func sharedCache() (string, error) {
	if dir := wants.Cache.Given(); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "redox-clif-test"), err
}

// mkelf FILE ENTRY VADDR writes the smallest static aarch64 program with one segment that holds the
// whole file: enough for the checks of packing, not for running.
func mkelf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: mkelf FILE ENTRY VADDR")
	}
	entry, err1 := strconv.ParseUint(args[1], 0, 64)
	vaddr, err2 := strconv.ParseUint(args[2], 0, 64)
	if err1 != nil || err2 != nil {
		ts.Fatalf("ENTRY and VADDR are numbers")
	}
	const size = 4096
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Entry: entry, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	p := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: vaddr, Paddr: vaddr, Filesz: size, Memsz: size, Align: 4096}
	ts.Check(binary.Write(&b, binary.LittleEndian, h))
	ts.Check(binary.Write(&b, binary.LittleEndian, p))
	b.Write(make([]byte, size-b.Len()))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o755))
}

// flip FILE OFFSET changes one bit of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	offset, err := strconv.ParseInt(args[1], 0, 64)
	ts.Check(err)
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if offset < 0 || offset >= int64(len(b)) {
		ts.Fatalf("%s has %d bytes", args[0], len(b))
	}
	b[offset] ^= 1
	ts.Check(os.WriteFile(path, b, 0o644))
}

// sameSum FILE FILE succeeds when two files have the same bytes.
func sameSum(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: samesum FILE FILE")
	}
	a, err1 := os.ReadFile(ts.MkAbs(args[0]))
	b, err2 := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err1)
	ts.Check(err2)
	if bytes.Equal(a, b) == neg {
		ts.Fatalf("%s: %s", strings.Join(args, " and "), map[bool]string{true: "the bytes are the same", false: "the bytes differ"}[neg])
	}
}

// remedy [-in=DIR] WORD... runs in a shell the command that begins with the words, as the last output has it between backticks.
func remedy(ts *testscript.TestScript, neg bool, args []string) {
	dir := "."
	if len(args) > 0 && strings.HasPrefix(args[0], "-in=") {
		dir, args = strings.TrimPrefix(args[0], "-in="), args[1:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: remedy [-in=DIR] WORD...")
	}
	said := ts.ReadFile("stderr") + "\n" + ts.ReadFile("stdout")
	_, after, found := strings.Cut(said, "`"+strings.Join(args, " ")+" ")
	rest, _, closed := strings.Cut(after, "`")
	if !found || !closed {
		ts.Fatalf("no message has `%s …`:\n%s", strings.Join(args, " "), said)
	}
	command := strings.Join(args, " ") + " " + rest
	ts.Logf("remedy: %s", command)
	ts.Check(ts.Exec("sh", "-c", "cd \"$1\" && "+command, "sh", ts.MkAbs(dir)))
}
