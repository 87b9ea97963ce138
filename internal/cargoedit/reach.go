package cargoedit

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-multierror"
)

// Reach lists the folders of the packages that some packages of the workspace at root need by path, they
// themselves included: sorted slash paths relative to root, "." for the root's own. Without packages all
// members and the root's package are meant. What optional dependencies, other platforms and [patch]
// entries lead to is in it as well: it is what can be needed, not what is.
func Reach(root string, packages []string) ([]string, error) {
	top, err := readManifest(filepath.Join(root, manifestName))
	if err != nil {
		return nil, err
	}
	r := &reacher{pruner: &pruner{dir: filepath.Clean(root), root: top, report: &Report{}, members: map[string]*manifest{}}, found: map[string]bool{}}
	if err := r.readMembers(); err != nil {
		return nil, err
	}
	if top.packageName() != "" {
		r.members["."] = top
		r.order = append(r.order, ".")
	}
	if len(packages) == 0 {
		packages = r.order
	}
	for _, name := range packages {
		dir, ok := r.member(name)
		if !ok {
			r.faults = multierror.Append(r.faults, fmt.Errorf("the workspace has no member %q", name))
			continue
		}
		r.visit(dir)
	}
	for _, d := range top.dependencies() {
		if to := d.text("path"); to != "" && (d.kind == "patch" || d.kind == "replace") {
			r.visit(path.Clean(to))
		}
	}
	dirs := make([]string, 0, len(r.found))
	for dir := range r.found {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return dirs, r.faults.ErrorOrNil()
}

type reacher struct {
	*pruner
	found  map[string]bool
	faults *multierror.Error
}

func (r *reacher) visit(dir string) {
	if r.found[dir] {
		return
	}
	m := r.members[dir]
	if m == nil {
		var err error
		m, err = readManifest(filepath.Join(r.dir, filepath.FromSlash(dir), manifestName))
		if os.IsNotExist(err) {
			return // cargo says it if it needs that one
		}
		if err != nil {
			r.faults = multierror.Append(r.faults, err)
			return
		}
	}
	r.found[dir] = true
	for _, d := range m.dependencies() {
		switch {
		case d.kind == "workspace", d.kind == "patch", d.kind == "replace":
		case d.kind == "dev-dependencies" && r.members[dir] == nil:
			// Cargo does not look at the dev-dependencies of a crate that is no member.
		case d.flag("workspace"):
			r.inherited(dir, d.key[len(d.key)-1])
		case d.text("path") != "":
			r.visit(path.Join(dir, d.text("path")))
		}
	}
}

// inherited visits a dependency that the workspace around a package describes.
func (r *reacher) inherited(dir, name string) {
	for at := dir; ; at = path.Dir(at) {
		m, err := readManifest(filepath.Join(r.dir, filepath.FromSlash(at), manifestName))
		if err == nil && sub(m.top, "workspace") != nil {
			if to, _ := sub(m.top, "workspace", "dependencies", name)["path"].(string); to != "" {
				r.visit(path.Join(at, to))
			}
			return
		}
		if at == "." || at == "/" {
			return
		}
	}
}
