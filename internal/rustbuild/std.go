package rustbuild

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// x.py compiles the host's std again whenever the library of a backend is newer than it (clear_if_dirty in bootstrap's
// cargo.rs: "Codegen backends are not yet tracked"). But it is LLVM that compiles it, the first of
// rust.codegen-backends: another Cranelift changes no byte of it. So when patches differ only within the backend, x.py
// is told to keep the std it has.

// backendOnly are the slash paths that nothing but the Cranelift backend is made of.
var backendOnly = regexp.MustCompile(`^(compiler/rustc_codegen_cranelift|vendor/(cranelift|regalloc2|wasmtime-internal)-[^/]*)/`)

// Std is the host's standard library in the folder of a build.
type Std struct {
	path string // of the file that says what it was made by
	by   string // what it is made by now
}

// stdFile is in the folder that x.py removes to make std anew, so that it goes with it, whoever runs x.py.
const stdFile = "redox-clif-std"

func (b *Build) stdFolder() string {
	return filepath.Join(b.Source(), "build", b.Host, "stage1-std")
}

// Std is for the source as it was patched last.
func (b *Build) Std(stage0 Stage0, p *Patched) (*Std, error) {
	in, err := b.Inputs()
	if err != nil {
		return nil, err
	}
	in.Patches = ""
	settings, err := b.bootstrapTOML(stage0, 0)
	if err != nil {
		return nil, err
	}
	by := hexSum(strings.Join([]string{in.Identity(), b.sourceStamp(), string(settings), p.compiler}, "\n"))
	return &Std{path: filepath.Join(b.stdFolder(), stdFile), by: by}, nil
}

// Kept tells whether it is there, whole, and made by the compiler that there will be.
func (s *Std) Kept() bool {
	text, err := os.ReadFile(s.path)
	return err == nil && string(text) == s.by
}

// Begin is called before x.py runs: what is killed in the middle has no std that can be kept.
func (s *Std) Begin() error {
	if s.Kept() {
		return nil
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Done is called when x.py has come to its end.
func (s *Std) Done() error {
	if !exists(filepath.Dir(s.path)) {
		return nil // a release that has std elsewhere: it is made every time
	}
	return renameio.WriteFile(s.path, []byte(s.by), 0o644)
}

// compilerDigest is the SHA-256 of all that is changed outside of the backend.
func (p *patched) compilerDigest() string {
	sum := sha256.New()
	names := make([]string, 0, len(p.Changed))
	for name := range p.Changed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if backendOnly.MatchString(name) {
			continue
		}
		if f := p.Changed[name]; f == nil {
			fmt.Fprintf(sum, "%q removed\n", name)
		} else {
			fmt.Fprintf(sum, "%q %t %x\n", name, f.Executable, sha256.Sum256(f.Data))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
