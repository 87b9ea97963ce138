package cargoedit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// CratePatch puts a folder in the place of a crate of the registry.
type CratePatch struct {
	Name string
	Dir  string // has the crate's Cargo.toml
	As   string // slash path of Dir relative to the workspace
}

// PatchCrates adds [patch.crates-io] entries to the workspace whose root is
// dir, and has its Cargo.lock take every compatible version of these crates
// from there. A crate that is not locked is left alone: cargo would warn of an
// unused entry at every build. So is a workspace without a Cargo.lock.
func PatchCrates(dir string, patches []CratePatch) (*Report, error) {
	report := &Report{}
	if len(patches) == 0 {
		return report, nil
	}
	m, err := readManifest(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	lock, err := readLock(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return report, nil
	}
	if err != nil {
		return nil, err
	}
	r := &replacer{report: report}
	for _, p := range patches {
		if err := r.patchCrate(m, lock, p); err != nil {
			return nil, fmt.Errorf("crate %s: %w", p.Name, err)
		}
	}
	if report.Empty() {
		return report, nil
	}
	if err := m.save(); err != nil {
		return nil, err
	}
	return report, writeFile(filepath.Join(dir, lockName), lock.Bytes())
}

func (r *replacer) patchCrate(m *manifest, lock *Lock, p CratePatch) error {
	found, err := crates(p.Dir)
	if err != nil {
		return err
	}
	c, ok := found[p.Name]
	switch {
	case !ok:
		return fmt.Errorf("%s has no such package", p.Dir)
	case c.err != nil:
		return c.err
	}
	var old []*Package
	for _, locked := range lock.Packages {
		if locked.Name == p.Name && strings.HasPrefix(locked.Source, "registry+") && compatible(locked.Version, c.version) {
			old = append(old, locked)
		}
	}
	if len(old) == 0 {
		return nil
	}
	key := []string{"patch", "crates-io", p.Name}
	if m.doc.Has(key...) {
		if sub(m.top, key...)["path"] != nil {
			return errors.New("the workspace patches it already")
		}
		if err := m.doc.Delete(key...); err != nil {
			return err
		}
	}
	to := path.Join(p.As, c.dir)
	if err := m.doc.Set(to, append(key, "path")...); err != nil {
		return err
	}
	r.report.Edits = append(r.report.Edits, Edit{File: manifestName, Key: strings.Join(key, "."), From: "registry", To: to})
	for _, locked := range old {
		change := LockChange{File: lockName, Name: p.Name, From: locked.id()}
		r.lockPath(lockName, locked, c)
		change.To = locked.id()
		r.report.Lock = append(r.report.Lock, change)
	}
	lock.merge()
	return nil
}

// UnusedPatch returns the version of a patched crate that the Cargo.lock in dir
// lists as one that nothing in the workspace takes, and "" where it is in use:
// cargo only warns when a requirement asks for a later version.
func UnusedPatch(dir, crate string) (version string, err error) {
	var lock struct {
		Patch struct {
			Unused []struct {
				Name    string `toml:"name"`
				Version string `toml:"version"`
			} `toml:"unused"`
		} `toml:"patch"`
	}
	if _, err := toml.DecodeFile(filepath.Join(dir, lockName), &lock); err != nil {
		return "", err
	}
	for _, p := range lock.Patch.Unused {
		if p.Name == crate {
			return p.Version, nil
		}
	}
	return "", nil
}

// compatible tells whether cargo takes one version where the other was asked
// for: the first number that is not zero is the same, and all before it.
func compatible(a, b string) bool {
	x, _ := cutVersion(a)
	y, _ := cutVersion(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return false
		}
		if x[i] != 0 {
			return true
		}
	}
	return len(x) == len(y)
}
