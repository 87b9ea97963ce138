package cargoedit

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/source"
)

// Replace edits every Cargo.toml and Cargo.lock below tree so that no
// dependency is left on the git URLs of the replacements. All failures come at
// once, and then nothing is written. Replacing what is not there changes
// nothing.
func Replace(tree string, replacements []Replacement) (*Report, error) {
	r := &replacer{tree: tree, by: map[string]*replacement{}, report: &Report{}}
	for _, rep := range replacements {
		r.add(rep)
	}
	manifests := r.each(manifestName)
	locks := r.each(lockName)
	var edited []*manifest
	for _, name := range manifests {
		if m := r.manifest(name); m != nil {
			edited = append(edited, m)
		}
	}
	written := map[string]*Lock{}
	for _, name := range locks {
		if l := r.lock(name); l != nil {
			written[name] = l
		}
	}
	if err := r.faults.ErrorOrNil(); err != nil {
		return nil, err
	}
	for _, m := range edited {
		if err := m.save(); err != nil {
			return nil, err
		}
	}
	for _, name := range locks {
		if l := written[name]; l != nil {
			if err := writeFile(filepath.Join(tree, filepath.FromSlash(name)), l.Bytes()); err != nil {
				return nil, err
			}
		}
	}
	return r.report, nil
}

type replacement struct {
	Replacement
	crates  map[string]crate // with Dir
	patched map[string]bool  // packages whose [patch] or [replace] entry went
}

type replacer struct {
	tree   string
	by     map[string]*replacement // by normalized URL
	report *Report
	faults *multierror.Error
}

func (r *replacer) fault(format string, args ...any) {
	r.faults = multierror.Append(r.faults, fmt.Errorf(format, args...))
}

func (r *replacer) add(rep Replacement) {
	if err := rep.validate(); err != nil {
		r.fault("%w", err)
		return
	}
	own := &replacement{Replacement: rep, patched: map[string]bool{}}
	if rep.Dir != "" {
		found, err := crates(rep.Dir)
		if err != nil {
			r.fault("replacement of %s: %w", rep.URL, err)
		}
		own.crates = found
		if rep.As == "" {
			rel, err := relative(r.tree, rep.Dir)
			if err != nil {
				r.fault("%w", err)
			}
			own.As = rel
		}
	}
	if other := r.by[source.NormalizeURL(rep.URL)]; other != nil {
		r.fault("%s is replaced twice", rep.URL)
	}
	r.by[source.NormalizeURL(rep.URL)] = own
}

func relative(from, to string) (string, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	if to, err = filepath.Abs(to); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(from, to)
	return filepath.ToSlash(rel), err
}

func (r *replacer) each(name string) []string {
	found, err := files(r.tree, name)
	if err != nil {
		r.fault("%w", err)
	}
	return found
}

// manifest edits one Cargo.toml; nil when nothing in it is replaced.
func (r *replacer) manifest(name string) *manifest {
	m, err := readManifest(filepath.Join(r.tree, filepath.FromSlash(name)))
	if err != nil {
		return nil // test data that cargo does not read either; else cargo will say it
	}
	changed := false
	for _, from := range sortedKeys(sub(m.top, "patch")) {
		if rep := r.by[source.NormalizeURL(from)]; rep != nil {
			// Nothing comes from there any more, and cargo would ask it.
			r.edited(name, []string{"patch", from}, "patch", "", m.doc.Delete("patch", from))
			changed = true
		}
	}
	for _, d := range m.dependencies() {
		rep := r.by[source.NormalizeURL(d.text("git"))]
		if rep == nil || d.text("git") == "" || d.kind == "patch" && r.by[source.NormalizeURL(d.key[1])] != nil {
			continue
		}
		changed = true
		r.dependency(name, m, d, rep)
	}
	if !changed {
		return nil
	}
	return m
}

func (r *replacer) edited(file string, key []string, from, to string, err error) {
	if err != nil {
		r.fault("%s: %w", file, err)
		return
	}
	r.report.Edits = append(r.report.Edits, Edit{File: file, Key: strings.Join(key, "."), From: from, To: to})
}

func (r *replacer) dependency(file string, m *manifest, d dependency, rep *replacement) {
	isOverride := d.kind == "patch" || d.kind == "replace"
	switch {
	case rep.Remove || rep.Version != "" && isOverride:
		// An override by what the registry has anyway would be refused by cargo.
		r.edited(file, d.key, d.text("git"), "", m.doc.Delete(d.key...))
		if isOverride {
			rep.patched[d.packageName()] = true
		} else {
			r.dropFeatures(file, m, d.key[len(d.key)-1])
		}
	case rep.Version != "":
		r.respec(file, m, d, "version", "="+rep.Version)
	default:
		c, ok := rep.crates[d.packageName()]
		if !ok {
			r.fault("%s: %s: what takes the place of %s has no package %s", file, d.keyString(), rep.URL, d.packageName())
			return
		}
		if c.err != nil {
			r.fault("%s: %s: %w", file, d.keyString(), c.err)
			return
		}
		// Joined below a made-up root, since As may climb out of the tree.
		const root = "/a/b/c/d/e/f/g/h"
		to, err := filepath.Rel(path.Join(root, path.Dir(file)), path.Join(root, rep.As, c.dir))
		if err != nil {
			r.fault("%s: %w", file, err)
			return
		}
		r.respec(file, m, d, "path", filepath.ToSlash(to))
	}
}

// respec makes the entry one of the other kind. `version` beside `path` would
// only be another thing to disagree about.
func (r *replacer) respec(file string, m *manifest, d dependency, key, value string) {
	err := m.doc.Set(value, append(append([]string{}, d.key...), key)...)
	for _, old := range []string{"git", "branch", "tag", "rev", "version", "path", "registry"} {
		if _, has := d.spec[old]; err == nil && has && old != key {
			err = m.doc.Delete(append(append([]string{}, d.key...), old)...)
		}
	}
	r.edited(file, d.key, d.text("git"), value, err)
}

// dropFeatures takes a removed dependency out of [features].
func (r *replacer) dropFeatures(file string, m *manifest, dep string) {
	features := sub(m.top, "features")
	_, isFeature := features[dep]
	for _, name := range sortedKeys(features) {
		items, _ := features[name].([]any)
		var kept []string
		for _, item := range items {
			s, _ := item.(string)
			if s == "dep:"+dep || s == dep && !isFeature || strings.HasPrefix(s, dep+"/") || strings.HasPrefix(s, dep+"?/") {
				continue
			}
			kept = append(kept, s)
		}
		if len(kept) == len(items) {
			continue
		}
		r.edited(file, []string{"features", name}, dep, "", m.doc.Set(kept, "features", name))
		left := make([]any, len(kept))
		for i, s := range kept {
			left[i] = s
		}
		features[name] = left // another removed dependency may be in the same list
	}
}

// lock edits one Cargo.lock; nil when nothing in it is replaced.
func (r *replacer) lock(name string) *Lock {
	l, err := readLock(filepath.Join(r.tree, filepath.FromSlash(name)))
	if errors.Is(err, ErrLockVersion) {
		// Most often of some test package that nobody builds here.
		r.oldLock(name)
		return nil
	}
	if err != nil {
		r.fault("%w", err)
		return nil
	}
	var roots, gone []*Package
	changed := false
	for _, p := range l.Packages {
		if p.Source == "" {
			roots = append(roots, p)
		}
	}
	for _, p := range l.Packages {
		rep := r.by[source.NormalizeURL(p.Source)]
		if rep == nil || !strings.HasPrefix(p.Source, "git+") {
			continue
		}
		changed = true
		change := LockChange{File: name, Name: p.Name, From: p.id()}
		switch {
		case rep.Remove && len(rep.patched) > 0:
			// What a removed [patch] stood for comes from the registry again, best
			// in the version that was locked: cargo would take the newest.
			p.Source, p.Checksum = cratesIO, ""
			change.To = p.id()
			r.resolve(name, "%s %s of the registry has not been locked with its checksum", p.Name, p.Version)
		case rep.Remove:
			gone = append(gone, p)
			r.resolve(name, "%s is no longer taken from %s", p.Name, rep.URL)
		case rep.Version != "":
			p.Version, p.Source, p.Checksum = rep.Version, cratesIO, ""
			change.To = p.id()
			r.resolve(name, "%s %s of the registry has not been locked with its checksum", p.Name, rep.Version)
		default:
			if c, ok := rep.crates[p.Name]; ok && c.err == nil {
				r.lockPath(name, p, c)
				change.To = p.id()
			} else {
				gone = append(gone, p)
				r.resolve(name, "what takes the place of %s has no package %s", rep.URL, p.Name)
			}
		}
		r.report.Lock = append(r.report.Lock, change)
	}
	if !changed {
		return nil
	}
	l.remove(gone)
	l.merge()
	for _, p := range l.retain(roots) {
		r.report.Lock = append(r.report.Lock, LockChange{File: name, Name: p.Name, From: p.id()})
	}
	return l
}

// oldLock cannot be edited; that matters only if it names what is replaced.
func (r *replacer) oldLock(name string) {
	data, err := os.ReadFile(filepath.Join(r.tree, filepath.FromSlash(name)))
	if err != nil {
		r.fault("%w", err)
		return
	}
	for _, named := range gitSource.FindAllString(string(data), -1) {
		if rep := r.by[source.NormalizeURL(named)]; rep != nil {
			r.resolve(name, "%v, and it names %s", ErrLockVersion, rep.URL)
			return
		}
	}
}

var gitSource = regexp.MustCompile(`git\+[^"\s)]+`)

func (r *replacer) resolve(file, format string, args ...any) {
	r.report.Resolve = append(r.report.Resolve, Reason{File: file, Why: fmt.Sprintf(format, args...)})
}

// lockPath makes a locked git package a path package. Cargo takes the lock as
// it is when the version and the dependencies are those locked.
func (r *replacer) lockPath(file string, p *Package, c crate) {
	if p.Version != c.version {
		r.resolve(file, "%s was locked at %s, its replacement is %s", p.Name, p.Version, c.version)
	}
	locked := map[string]bool{}
	for _, d := range p.Deps {
		locked[d.Name] = true
	}
	declared := map[string]bool{}
	for _, d := range c.deps {
		if d.kind != "dependencies" && d.kind != "build-dependencies" {
			continue
		}
		name := d.packageName()
		declared[name] = true
		if !locked[name] && !d.flag("optional") {
			r.resolve(file, "%s now depends on %s, which was not locked", p.Name, name)
		}
	}
	for _, d := range p.Deps {
		if !declared[d.Name] {
			r.resolve(file, "%s no longer depends on %s", p.Name, d.Name)
		}
	}
	p.Version, p.Source, p.Checksum = c.version, "", ""
}
