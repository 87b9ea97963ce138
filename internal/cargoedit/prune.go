package cargoedit

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/tomledit"
)

// Prune reduces the workspace whose root manifest is dir/Cargo.toml to the
// members named in keep and those they need by path. A member is named by its
// package name or by its folder in the workspace. [patch] entries that nothing
// locked needs any more go, and Cargo.lock loses what is no longer reached:
// enough for cargo to ask no git host, but not always all that --locked wants
// gone, see Report.Resolve. A package at the root of the workspace always stays. Names that match nothing
// are all reported, and nothing is written.
func Prune(dir string, keep []string) (*Report, error) {
	p := &pruner{dir: filepath.Clean(dir), report: &Report{}, members: map[string]*manifest{}}
	root, err := readManifest(filepath.Join(p.dir, manifestName))
	if err != nil {
		return nil, err
	}
	if sub(root.top, "workspace") == nil {
		return nil, fmt.Errorf("%s is not the root of a workspace", root.file)
	}
	p.root = root
	if err := p.readMembers(); err != nil {
		return nil, err
	}
	kept, err := p.closure(keep)
	if err != nil {
		return nil, err
	}
	lock, err := p.pruneLock(kept)
	if err != nil {
		return nil, err
	}
	if err := p.pruneRoot(kept, lock); err != nil {
		return nil, err
	}
	if err := root.save(); err != nil {
		return nil, err
	}
	if lock != nil {
		return p.report, writeFile(filepath.Join(p.dir, lockName), lock.Bytes())
	}
	return p.report, nil
}

// Spare lists the members, as folders in their manifest's order, of the workspace whose root manifest is dir/Cargo.toml that [Prune] would take
// out to keep some packages. It is none where the manifest is that of a single package. A package that is no member is an error.
func Spare(dir string, keep []string) ([]string, error) {
	p := &pruner{dir: filepath.Clean(dir), report: &Report{}, members: map[string]*manifest{}}
	var err error
	if p.root, err = readManifest(filepath.Join(p.dir, manifestName)); err != nil || sub(p.root.top, "workspace") == nil {
		return nil, err
	}
	if err := p.readMembers(); err != nil {
		return nil, err
	}
	kept, err := p.closure(keep)
	return slices.DeleteFunc(slices.Clone(p.order), func(member string) bool { return kept[member] != nil }), err
}

type pruner struct {
	dir     string
	root    *manifest
	order   []string             // members' folders as slash paths, in the manifest's order
	members map[string]*manifest // by folder
	report  *Report
}

func stringList(v any) []string {
	items, _ := v.([]any)
	var all []string
	for _, item := range items {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// readMembers expands the globs of workspace.members.
func (p *pruner) readMembers() error {
	workspace := sub(p.root.top, "workspace")
	excluded := map[string]bool{}
	for _, e := range stringList(workspace["exclude"]) {
		excluded[path.Clean(e)] = true
	}
	var faults *multierror.Error
	for _, pattern := range stringList(workspace["members"]) {
		found, err := filepath.Glob(filepath.Join(p.dir, filepath.FromSlash(pattern)))
		if err != nil {
			return fmt.Errorf("%s: member %q: %w", p.root.file, pattern, err)
		}
		isGlob := strings.ContainsAny(pattern, "*?[")
		if len(found) == 0 && !isGlob {
			faults = multierror.Append(faults, fmt.Errorf("%s: member %q is not there", p.root.file, pattern))
		}
		for _, member := range found {
			rel, err := filepath.Rel(p.dir, member)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			if p.members[rel] != nil || excluded[rel] || isGlob && !exists(filepath.Join(member, manifestName)) {
				continue
			}
			m, err := readManifest(filepath.Join(member, manifestName))
			if err != nil {
				faults = multierror.Append(faults, err)
				continue
			}
			p.members[rel] = m
			p.order = append(p.order, rel)
		}
	}
	return faults.ErrorOrNil()
}

// closure finds the kept members and everything they need by path, members or
// not, as folders relative to the workspace.
func (p *pruner) closure(keep []string) (map[string]*manifest, error) {
	kept := map[string]*manifest{}
	var faults *multierror.Error
	var visit func(dir string, m *manifest)
	visit = func(dir string, m *manifest) {
		if kept[dir] != nil {
			return
		}
		kept[dir] = m
		for _, need := range p.pathDependencies(dir, m) {
			next := p.members[need]
			if next == nil {
				file := filepath.Join(p.dir, filepath.FromSlash(need), manifestName)
				var err error
				if next, err = readManifest(file); os.IsNotExist(err) {
					continue // it may be put there later; cargo says it if not
				} else if err != nil {
					faults = multierror.Append(faults, err)
					continue
				}
			}
			visit(need, next)
		}
	}
	if p.root.packageName() != "" {
		visit(".", p.root)
	}
	for _, name := range keep {
		if name == p.root.packageName() {
			continue
		}
		dir, ok := p.member(name)
		if !ok {
			faults = multierror.Append(faults, fmt.Errorf("the workspace has no member %q (it has %s)", name, strings.Join(p.names(), ", ")))
			continue
		}
		visit(dir, p.members[dir])
	}
	return kept, faults.ErrorOrNil()
}

// member finds a member by package name, else by folder.
func (p *pruner) member(name string) (string, bool) {
	for _, dir := range p.order {
		if p.members[dir].packageName() == name {
			return dir, true
		}
	}
	clean := path.Clean(name)
	_, ok := p.members[clean]
	return clean, ok
}

func (p *pruner) names() []string {
	var names []string
	for _, m := range p.members {
		names = append(names, m.packageName())
	}
	sort.Strings(names)
	return names
}

// pathDependencies are the folders, relative to the workspace, that a package
// needs. Cargo resolves dev-dependencies of workspace members too.
func (p *pruner) pathDependencies(dir string, m *manifest) []string {
	var need []string
	for _, d := range m.dependencies() {
		base, to := dir, d.text("path")
		switch d.kind {
		case "workspace", "patch", "replace":
			continue
		}
		if d.flag("workspace") {
			base = "."
			to, _ = sub(p.root.top, "workspace", "dependencies", d.key[len(d.key)-1])["path"].(string)
		}
		if to != "" {
			need = append(need, path.Join(base, to))
		}
	}
	return need
}

// pruneLock drops what the kept packages do not reach; nil without a Cargo.lock.
func (p *pruner) pruneLock(kept map[string]*manifest) (*Lock, error) {
	file := filepath.Join(p.dir, lockName)
	if !exists(file) {
		p.report.Resolve = append(p.report.Resolve, Reason{lockName, "there is none"})
		return nil, nil
	}
	lock, err := readLock(file)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, m := range kept {
		names[m.packageName()] = true
	}
	var roots []*Package
	for _, pkg := range lock.Packages {
		if pkg.Source == "" && names[pkg.Name] {
			roots = append(roots, pkg)
		}
	}
	for _, pkg := range lock.retain(roots) {
		p.report.Lock = append(p.report.Lock, LockChange{File: lockName, Name: pkg.Name, From: pkg.id()})
	}
	return lock, nil
}

// pruneRoot writes the shorter member list and drops idle [patch] entries.
func (p *pruner) pruneRoot(kept map[string]*manifest, lock *Lock) error {
	var members []string
	for _, dir := range p.order {
		if kept[dir] != nil {
			members = append(members, dir)
			continue
		}
		p.report.Edits = append(p.report.Edits, Edit{File: manifestName, Key: "workspace.members", From: dir})
	}
	doc := p.root.doc
	if len(members) < len(p.order) {
		// A locked package keeps the optional dependencies that some member's
		// features asked for; which these are, only cargo can tell.
		p.report.Resolve = append(p.report.Resolve, Reason{lockName, "members went, and with them maybe the last use of an optional dependency"})
		if err := doc.Set(onePerLine(members), "workspace", "members"); err != nil {
			return err
		}
	}
	if defaults := stringList(sub(p.root.top, "workspace")["default-members"]); defaults != nil {
		left := slices.DeleteFunc(slices.Clone(defaults), func(m string) bool { return !slices.Contains(members, path.Clean(m)) && path.Clean(m) != "." })
		if len(left) < len(defaults) {
			if err := doc.Set(left, "workspace", "default-members"); err != nil {
				return err
			}
		}
	}
	if lock == nil {
		return nil
	}
	return p.prunePatches(lock)
}

// onePerLine writes a list as these manifests usually have it.
func onePerLine(items []string) tomledit.Literal {
	var b strings.Builder
	b.WriteString("[\n")
	for _, item := range items {
		fmt.Fprintf(&b, "    %q,\n", item)
	}
	return tomledit.Literal(b.String() + "]")
}

func (p *pruner) prunePatches(lock *Lock) error {
	for _, d := range p.root.dependencies() {
		if d.kind != "patch" || used(lock, d) {
			continue
		}
		if err := p.root.doc.Delete(d.key...); err != nil {
			return fmt.Errorf("%s: %w", p.root.file, err)
		}
		p.report.Edits = append(p.report.Edits, Edit{File: manifestName, Key: d.keyString(), From: "patch"})
		lock.Unused = slices.DeleteFunc(lock.Unused, func(u *Package) bool { return u.Name == d.packageName() && from(u, d) })
	}
	return nil
}

// used says whether a locked package comes from the [patch] entry.
func used(lock *Lock, d dependency) bool {
	return slices.ContainsFunc(lock.Packages, func(p *Package) bool { return p.Name == d.packageName() && from(p, d) })
}

func from(p *Package, d dependency) bool {
	switch {
	case d.text("git") != "":
		return strings.HasPrefix(p.Source, "git+") && source.NormalizeURL(p.Source) == source.NormalizeURL(d.text("git"))
	case d.text("path") != "":
		return p.Source == ""
	}
	return strings.HasPrefix(p.Source, "registry+") || strings.HasPrefix(p.Source, "sparse+")
}
