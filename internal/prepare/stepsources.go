package prepare

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

// stepSourcesVersion is raised when a step sees other files of the same workspace. The action is named narrow:
// another name would be another key.
const stepSourcesVersion = 2

// blanked is the text of a Rust file that a step has no use for. Should it be compiled all the same, by a
// way that is not known here, the build fails instead of going on with something else.
const blanked = "compile_error!(\"redox-clif left this file out: no package of the step depends on its package; whole = true in the recipe's [cargo] brings it back\");\n"

// StepSources is the node of a workspace as one of several steps that build from it sees it, the step that has this
// ID and builds these packages of the folder dir: Rust files of packages that these neither need nor name by a path
// are blanked. So a change of a program runs cargo for the step of that program, and the others stay up to date.
func (s *Sources) StepSources(id string, ws *Workspace, dir string, packages []string) (*graph.Node, error) {
	return s.nodes.Once(id+"/sources", func(n *graph.Node) error {
		n.Deps = []*graph.Node{ws.Node}
		n.Memory = 64 << 20
		n.Light = true
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := action.Builtin("narrow", stepSourcesVersion, append([]string{"dir=" + dir}, packages...)...)
			a.Inputs = in[ws.Node]
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return s.blankOthers(ctx, job.Action.Inputs, path.Join("src", dir), packages)
		}
		return nil
	})
}

// blankOthers blanks the Rust files of a workspace, in the folder dir of a tree, that some packages of it do not need.
func (s *Sources) blankOthers(ctx context.Context, ws cas.Digest, dir string, packages []string) (cas.Digest, error) {
	tree, err := s.o.Store.LoadTree(ws)
	if err != nil {
		return cas.Digest{}, err
	}
	below := tree.Sub(dir)
	owners, needed, err := s.packagesOf(ctx, below, packages)
	if err != nil {
		return cas.Digest{}, err
	}
	blank, err := s.o.Store.PutBytes([]byte(blanked))
	if err != nil {
		return cas.Digest{}, err
	}
	left := map[string]cas.Entry{}
	var stay []string
	for p, e := range below.Entries {
		if of, ok := ownerOf(owners, p); ok && !needed[of] && path.Ext(p) == ".rs" && !e.Dir && e.Link == "" {
			left[p] = e
			below.Entries[p] = cas.Entry{Digest: blank, Executable: e.Executable}
		} else {
			stay = append(stay, p)
		}
	}
	if err := s.restoreNamed(below, left, stay); err != nil {
		return cas.Digest{}, err
	}
	tree.Graft(dir, below)
	return s.o.Store.PutTree(tree)
}

// packagesOf tells where there are packages in a workspace, and which of them those named need.
func (s *Sources) packagesOf(ctx context.Context, workspace *cas.Tree, packages []string) (owners, needed map[string]bool, err error) {
	root, manifests, err := s.manifestsOf(ctx, workspace)
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(root)
	reachable, err := cargoedit.Reach(root, packages)
	if err != nil {
		return nil, nil, err
	}
	owners, needed = map[string]bool{}, map[string]bool{}
	for p := range manifests.Entries {
		if dir := path.Dir(p); isPackage(filepath.Join(root, filepath.FromSlash(dir))) {
			owners[dir] = true
		}
	}
	for _, dir := range reachable {
		needed[dir] = true
	}
	return owners, needed, nil
}

// manifestsOf lays out nothing of a workspace but its packages' manifests, in a folder that the caller removes.
func (s *Sources) manifestsOf(ctx context.Context, workspace *cas.Tree) (root string, manifests *cas.Tree, err error) {
	manifests = cas.NewTree()
	for p, e := range workspace.Entries {
		if path.Base(p) == "Cargo.toml" {
			manifests.Entries[p] = e
		}
	}
	digest, err := s.o.Store.PutTree(manifests)
	if err != nil {
		return "", nil, err
	}
	if root, err = s.o.Roots.TempDir("manifests"); err != nil {
		return "", nil, err
	}
	if err = s.o.Store.Materialise(ctx, digest, root, nil, nil); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(root))
	}
	return root, manifests, nil
}

// ownerOf is the innermost package around a file.
func ownerOf(owners map[string]bool, p string) (string, bool) {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if owners[dir] {
			return dir, true
		}
		if dir == "." {
			return "", false
		}
	}
}
