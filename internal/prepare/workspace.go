package prepare

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// workspaceVersion is raised when another workspace comes out of the same manifests and sources.
const workspaceVersion = 3

// Workspace is a recipe's source as cargo sees it.
type Workspace struct {
	// Node has the source in src/.
	Node *graph.Node
	// SelfContained says that nothing in the workspace's folder (recipe.Cargo.Dir) names a file outside of it.
	SelfContained bool
	// overrides are the user's sources that may take the place of git dependencies.
	overrides []*source.Resolved
	// lockKey is the key under which a mended Cargo.lock is kept, nil when nothing is fitted.
	lockKey func(in graph.Outputs) (string, error)
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
	ws := &Workspace{SelfContained: f.needed(f.deps, f.named)}
	ws.Node, err = s.nodes.Once(name+"/workspace", func(n *graph.Node) error {
		if ws.SelfContained || len(f.overrides) > 0 || f.byDefault != nil {
			return f.fit(n)
		}
		n.Deps = []*graph.Node{src}
		n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) { return f.asItIs(in) }
		return nil
	})
	if err != nil {
		return nil, err
	}
	ws.lockKey = f.lockKey
	for _, d := range f.overrides {
		if d.resolved != nil {
			ws.overrides = append(ws.overrides, d.resolved)
		}
	}
	s.workspaces[name] = ws
	return ws, nil
}

// fitting is what fitting one source to the build is made from.
type fitting struct {
	s    *Sources
	r    *recipe.Recipe
	src  *graph.Node
	deps []dependency // by the recipe
	// overrides are the user's for git dependencies, whether the workspace has these or not.
	overrides []dependency
	lock      *graph.Node // recipe folder, when it brings the Cargo.lock
	// named are the members that stay by the recipe's word, nil for all; byDefault is the node that finds them out where it does not say.
	named     []string
	byDefault *graph.Node
	// lockKey is that of the workspace.
	lockKey func(in graph.Outputs) (string, error)
}

// needed tells whether there is anything to fit when deps are replaced and these members stay.
func (f *fitting) needed(deps []dependency, members []string) bool {
	return len(deps) > 0 || len(members) > 0 || f.lock != nil
}

// changes are what is replaced in the workspace, which members stay (nil for all), and whether anything is to be done at all.
func (f *fitting) changes(in graph.Outputs) (deps []dependency, members []string, needed bool, err error) {
	if deps, err = f.replacements(in); err != nil {
		return nil, nil, false, err
	}
	members, err = f.members(in)
	return deps, members, f.needed(deps, members), err
}

// asItIs is the source with nothing changed.
func (f *fitting) asItIs(in graph.Outputs) (cas.Digest, error) {
	if err := f.checkLock(in[f.src]); err != nil {
		return cas.Digest{}, err
	}
	return f.s.o.Store.Compose(map[string]cas.Digest{"src": in[f.src]}, nil)
}

// fit has n be the fitted workspace.
func (f *fitting) fit(n *graph.Node) error {
	manifests, err := f.manifests()
	if err != nil {
		return err
	}
	n.Deps = append(f.mayGoIn(), manifests)
	n.Memory = 128 << 20
	n.Light = true
	n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) { return f.fillAction(in, manifests) }
	n.Run = func(_ context.Context, job *graph.Job) (cas.Digest, error) { return f.fill(job.Inputs, manifests) }
	return nil
}

// mayGoIn are the nodes of all that is looked at to find out what goes into the workspace.
func (f *fitting) mayGoIn() []*graph.Node {
	all := f.sources(slices.Concat(f.deps, f.overrides))
	for _, n := range []*graph.Node{f.lock, f.byDefault} {
		if n != nil {
			all = append(all, n)
		}
	}
	return all
}

// sources are the nodes of the trees that go into the workspace when deps are replaced.
func (f *fitting) sources(deps []dependency) []*graph.Node {
	all := []*graph.Node{f.src}
	for _, d := range deps {
		if d.node != nil {
			all = append(all, d.node)
		}
	}
	return graph.Unique(all)
}

// fillAction has the sources below their IDs: these are in the skeletons.
func (f *fitting) fillAction(in graph.Outputs, manifests *graph.Node) (*action.Action, error) {
	deps, _, needed, err := f.changes(in)
	if err != nil {
		return nil, err
	}
	if !needed {
		a := action.Builtin("workspace", workspaceVersion, "as it is")
		a.Inputs = in[f.src]
		return a, nil
	}
	a := action.Builtin("workspace", workspaceVersion)
	dirs := map[string]cas.Digest{"manifests": in[manifests]}
	for i, src := range f.sources(deps) {
		name := fmt.Sprintf("source-%d", i)
		dirs[name] = in[src]
		a.Args = append(a.Args, name+"="+src.ID)
	}
	a.Inputs, err = f.s.o.Store.Compose(dirs, nil)
	return a, err
}

// fill puts the sources' files where the edited skeleton has them, without those that nothing needs.
func (f *fitting) fill(in graph.Outputs, manifests *graph.Node) (cas.Digest, error) {
	deps, _, needed, err := f.changes(in)
	if err != nil {
		return cas.Digest{}, err
	}
	if !needed {
		return f.asItIs(in)
	}
	store := f.s.o.Store
	tree, err := f.s.fleshOut(in[manifests], f.sources(deps), in)
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

// MemberError says that a recipe names the folder of a member for that of the workspace around it, which has the Cargo.lock.
type MemberError struct{ Path, Dir, Workspace string }

func (e *MemberError) Error() string {
	where, there := "at the top of the source", "take it out there"
	if e.Workspace != "." {
		where, there = fmt.Sprintf("in %q", e.Workspace), fmt.Sprintf("write dir = %q there", e.Workspace)
	}
	return fmt.Sprintf("%s: [cargo] dir = %q is not the folder of the workspace, which has its Cargo.lock %s: %s, and write dir = %q into the step",
		e.Path, e.Dir, where, there, strings.TrimPrefix(e.Dir, strings.TrimPrefix(e.Workspace+"/", "./")))
}

// checkLock makes sure that the source has a Cargo.lock where the recipe says that the workspace is.
func (f *fitting) checkLock(src cas.Digest) error {
	if !f.r.UsesCargo() {
		return nil
	}
	for dir := path.Clean(f.r.Cargo.Dir); ; dir = path.Dir(dir) {
		_, ok, err := f.s.o.Store.Lookup(src, path.Join(dir, "Cargo.lock"))
		switch {
		case err != nil || ok && dir == path.Clean(f.r.Cargo.Dir):
			return err
		case ok:
			return &MemberError{f.r.Path, f.r.Cargo.Dir, dir}
		case dir == ".":
			return &NoLockError{f.r.Name}
		}
	}
}
