// Package crash says in functions, files and lines where a guest's programs were when they crashed.
//
// It owns how the programs that a log names are found with their symbols, which the programs of an image have no more, and the form of a
// trace for people. It must not know how a log's addresses are recognised (package symbolise), how a guest is run, nor where a trace is shown.
//
// A program's symbols are found by its content: a manifest in out/ has the digest of each file of an image, and the history of builds
// the step that stripped it, with what went in. They are those of the very program that ran.
package crash

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/symbolise"
)

// Program is a program of what was built last.
type Program struct {
	Path   string // in its image or stage: "bin/hello"
	Recipe string
	digest cas.Digest // of the file as it is there
	file   string     // in place of digest, for a file of out/
	opened *symbolise.Program
	failed error
}

// Name is the file's.
func (p *Program) Name() string { return path.Base(p.Path) }

// Programs are those of out/, of the newest initfs first.
type Programs struct {
	store *cas.Store
	// twins are the digests of programs with their symbols, by the SHA-256 of what is left without.
	twins map[string]cas.Digest
	all   []*Program
}

// SmokeKernel is the file in out/ that boots the demo.
const SmokeKernel = "smoke-kernel"

// Find lists the programs of the manifests in out/ and in its folders. What cannot be read of them is left out: a crash is told of
// with what there is.
func Find(store *cas.Store, history *graph.History, out string) *Programs {
	p := &Programs{store: store, twins: twins(store, history)}
	p.addManifest(out)
	folders, _ := os.ReadDir(out)
	for _, f := range folders {
		if f.IsDir() {
			p.addManifest(filepath.Join(out, f.Name()))
		}
	}
	if kernel := filepath.Join(out, SmokeKernel); isFile(kernel) {
		p.all = append(p.all, &Program{Path: SmokeKernel, Recipe: "demo", file: kernel})
	}
	return p
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// twins looks the steps that stripped something up.
func twins(store *cas.Store, history *graph.History) map[string]cas.Digest {
	found := map[string]cas.Digest{}
	for _, id := range history.IDs() {
		if !strings.Contains(id, "/strip/") {
			continue
		}
		r := history.Get(id)
		if r == nil {
			continue
		}
		after, ok, err := store.Lookup(r.Output, "stripped")
		before, had, err2 := store.Lookup(r.Action.Inputs, "in")
		if ok && had && err == nil && err2 == nil {
			found[after.Digest.Hash] = before.Digest
		}
	}
	return found
}

func (p *Programs) addManifest(dir string) {
	m, err := manifest.ReadIn(dir)
	if err != nil {
		return
	}
	if m.Image != nil && m.Image.BootstrapSHA256 != "" {
		p.add(&Program{Path: "bootstrap", Recipe: m.Recipe, digest: cas.Digest{Hash: m.Image.BootstrapSHA256, Size: m.Image.BootstrapSize}})
	}
	for _, f := range m.Files {
		if f.Link == "" && f.SHA256 != "" && f.Backend != "" {
			p.add(&Program{Path: f.Path, Recipe: f.Recipe, digest: cas.Digest{Hash: f.SHA256, Size: f.Size}})
		}
	}
}

func (p *Programs) add(one *Program) {
	for _, other := range p.all {
		if other.digest == one.digest {
			return
		}
	}
	p.all = append(p.all, one)
}

// All are the programs.
func (p *Programs) All() []*Program { return p.all }

// initfsScheme begins the names of programs that the initfs has.
const initfsScheme = "/scheme/initfs/"

// Named finds a program by its path or by the file's name.
func (p *Programs) Named(name string) (*Program, bool) {
	for _, matches := range []func(*Program) bool{
		func(one *Program) bool { return one.Path == strings.TrimPrefix(name, initfsScheme) },
		func(one *Program) bool { return one.Name() == path.Base(name) },
		func(one *Program) bool {
			return strings.ReplaceAll(one.Name(), "-", "_") == strings.ReplaceAll(path.Base(name), "-", "_")
		},
	} {
		for _, one := range p.all {
			if matches(one) {
				return one, true
			}
		}
	}
	return nil, false
}

// WithDigest finds a program by the SHA-256 of its file as it is in its image or stage.
func (p *Programs) WithDigest(sha256 string) (*Program, bool) {
	for _, one := range p.all {
		if one.digest.Hash == sha256 && sha256 != "" {
			return one, true
		}
	}
	return nil, false
}

// WithSymbols is the path of a program's file with its symbols. It is a file of the cache: nobody may write to it.
func (p *Programs) WithSymbols(one *Program) (string, error) {
	if one.file != "" {
		return one.file, nil
	}
	digest := one.digest
	if twin, ok := p.twins[digest.Hash]; ok {
		digest = twin
	}
	return p.store.Path(digest)
}

// open reads a program's symbols, once.
func (p *Programs) open(one *Program) (*symbolise.Program, error) {
	if one.opened == nil && one.failed == nil {
		one.opened, one.failed = p.read(one)
	}
	return one.opened, one.failed
}

func (p *Programs) read(one *Program) (*symbolise.Program, error) {
	file, err := p.WithSymbols(one)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := symbolise.Open(f)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w: `mage recipe:build %s` makes it here with its symbols", one.Path, one.Recipe, err, one.Recipe)
	}
	return opened, nil
}

// longestContext is where the kernel cuts the name of a context, in bytes (`ArrayString<32>` of its Context).
const longestContext = 32

// named are the programs that a log means by a name: the one that is called so, or all whose paths begin with one that the kernel cut.
func (p *Programs) named(name string) []*Program {
	if one, ok := p.Named(name); ok && name != "" {
		return []*Program{one}
	}
	if len(name) < longestContext {
		return nil
	}
	begin := strings.TrimPrefix(strings.TrimPrefix(name, initfsScheme), "/")
	var all []*Program
	for _, one := range p.all {
		if strings.HasPrefix(one.Path, begin) {
			all = append(all, one)
		}
	}
	return all
}

// belonging are the programs that an address may be of, given the one that the log names.
func (p *Programs) belonging(addr uint64, named string) []*Program {
	if addr >= symbolise.KernelAddresses {
		if kernel, ok := p.Named("boot/kernel"); ok {
			return []*Program{kernel}
		}
		return nil
	}
	all := p.named(named)
	if len(all) == 0 {
		all = p.all
	}
	var having []*Program
	for _, one := range all {
		if opened, err := p.open(one); err == nil && opened.Has(addr) {
			having = append(having, one)
		}
	}
	return having
}
