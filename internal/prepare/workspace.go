package prepare

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// workspaceVersion is raised when another workspace comes out of the same manifests and sources.
const workspaceVersion = 3

// Workspace is a recipe's source as cargo sees it.
type Workspace struct {
	// Node has the source in src/.
	Node *graph.Node
	// SelfContained says that nothing in the workspace's folder (recipe.Cargo.Dir) names a file outside of it.
	SelfContained bool
}

// Workspace fits a recipe's source to the build. The sources that take the place of git dependencies are inside the
// workspace then, in _deps/: see cargoedit.Enclose for the reason.
//
// It is fitted in two steps: the manifests are edited on skeletons of the sources, then the files
// are put where the edited skeletons have them.
func (s *Sources) Workspace(name string) (*Workspace, error) {
	if ws := s.workspaces[name]; ws != nil {
		return ws, nil
	}
	r, err := s.recipe(name)
	if err != nil {
		return nil, err
	}
	src, err := s.Patched(name)
	if err != nil {
		return nil, err
	}
	f := &fitting{s: s, r: r, src: src}
	if err := f.collect(); err != nil {
		return nil, err
	}
	ws := &Workspace{SelfContained: f.needed()}
	ws.Node, err = s.nodes.Once(name+"/workspace", func(n *graph.Node) error {
		if f.needed() {
			return f.fit(n)
		}
		f.asItIs(n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.workspaces[name] = ws
	return ws, nil
}

// fitting is what fitting one source to the build is made from.
type fitting struct {
	s    *Sources
	r    *recipe.Recipe
	src  *graph.Node
	deps []dependency
	lock *graph.Node // recipe folder, when it brings the Cargo.lock
}

// needed tells whether there is anything to fit.
func (f *fitting) needed() bool {
	return len(f.deps) > 0 || len(f.r.Cargo.Members) > 0 || f.lock != nil
}

// asItIs has n be the source with nothing changed.
func (f *fitting) asItIs(n *graph.Node) {
	n.Deps = []*graph.Node{f.src}
	n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) {
		if err := f.checkLock(in[f.src]); err != nil {
			return cas.Digest{}, err
		}
		return f.s.o.Store.Compose(map[string]cas.Digest{"src": in[f.src]}, nil)
	}
}

// fit has n be the fitted workspace.
func (f *fitting) fit(n *graph.Node) error {
	manifests, err := f.manifests()
	if err != nil {
		return err
	}
	n.Deps = graph.Unique(append([]*graph.Node{manifests}, f.sources()...))
	n.Memory = 128 << 20
	n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) { return f.fillAction(in, manifests) }
	n.Run = func(_ context.Context, job *graph.Job) (cas.Digest, error) { return f.fill(job.Inputs, manifests) }
	return nil
}

// sources are the nodes of all trees that go into the workspace.
func (f *fitting) sources() []*graph.Node {
	all := []*graph.Node{f.src}
	for _, d := range f.deps {
		if d.node != nil {
			all = append(all, d.node)
		}
	}
	return graph.Unique(all)
}

// fillAction has the sources below their IDs: these are in the skeletons.
func (f *fitting) fillAction(in graph.Outputs, manifests *graph.Node) (*action.Action, error) {
	a := action.Builtin("workspace", workspaceVersion)
	dirs := map[string]cas.Digest{"manifests": in[manifests]}
	for i, src := range f.sources() {
		name := fmt.Sprintf("source-%d", i)
		dirs[name] = in[src]
		a.Args = append(a.Args, name+"="+src.ID)
	}
	var err error
	a.Inputs, err = f.s.o.Store.Compose(dirs, nil)
	return a, err
}

// fill puts the sources' files where the edited skeleton has them, without those that nothing needs.
func (f *fitting) fill(in graph.Outputs, manifests *graph.Node) (cas.Digest, error) {
	store := f.s.o.Store
	tree, err := f.s.fleshOut(in[manifests], f.sources(), in)
	if err != nil {
		return cas.Digest{}, err
	}
	list, err := store.ReadAll(tree.Entries[unreachableName].Digest)
	if err != nil {
		return cas.Digest{}, err
	}
	delete(tree.Entries, unreachableName)
	root := path.Join("src", f.r.Cargo.Dir)
	below := tree.Sub(root)
	if err := f.s.dropUnreachable(below, lines(list)); err != nil {
		return cas.Digest{}, err
	}
	for p := range tree.Entries {
		if strings.HasPrefix(p, root+"/"+cargoedit.DepsFolder+"/") {
			delete(tree.Entries, p)
		}
	}
	tree.Graft(root, below)
	return store.PutTree(tree)
}

// lines are the lines of a text, none for an empty one.
func lines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// NoLockError says that a source has no Cargo.lock, so that what is built would depend on the day.
type NoLockError struct{ Recipe string }

func (e *NoLockError) Error() string {
	return fmt.Sprintf("the source of %s has no Cargo.lock: `mage recipe:lock %s` writes one beside the recipe", e.Recipe, e.Recipe)
}

func (f *fitting) checkLock(src cas.Digest) error {
	if !f.r.UsesCargo() {
		return nil
	}
	_, ok, err := f.s.o.Store.Lookup(src, path.Join(f.r.Cargo.Dir, "Cargo.lock"))
	if err == nil && !ok {
		err = &NoLockError{f.r.Name}
	}
	return err
}
