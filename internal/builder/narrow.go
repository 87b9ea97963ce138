package builder

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

const narrowVersion = 2

// blanked is the text of a Rust file that a step has no use for. Should it be compiled all the same, by a
// way that narrow does not know, the build fails instead of going on with something else.
const blanked = "compile_error!(\"redox-clif left this file out: no package of the step depends on its package; whole = true in the recipe's [cargo] brings it back\");\n"

// narrow is the node of a workspace as one of several cargo steps that build from it sees it: Rust files of
// packages that the step's own neither need nor name by a path are blanked. So a change of a program runs cargo for
// the step of that program, and the others stay up to date.
func (b *Builder) narrow(id string, ws *graph.Node, dir string, packages []string) (*graph.Node, error) {
	return b.once(id+"/sources", func(n *graph.Node) error {
		n.Deps = []*graph.Node{ws}
		n.Memory = 64 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := builtin("narrow", narrowVersion, append([]string{"dir=" + dir}, packages...)...)
			a.Inputs = in[ws]
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return b.narrowed(ctx, job.Action.Inputs, join("src", dir), packages)
		}
		return nil
	})
}

func (b *Builder) narrowed(ctx context.Context, ws cas.Digest, dir string, packages []string) (cas.Digest, error) {
	tree, err := b.Store.LoadTree(ws)
	if err != nil {
		return cas.Digest{}, err
	}
	below := tree.Sub(dir)
	owners, needed, err := b.packagesOf(ctx, below, packages)
	if err != nil {
		return cas.Digest{}, err
	}
	blank, err := b.Store.PutBytes([]byte(blanked))
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
	if err := b.follow(below, left, stay); err != nil {
		return cas.Digest{}, err
	}
	tree.Graft(dir, below)
	return b.Store.PutTree(tree)
}

// packagesOf tells where there are packages in a workspace, and which of them those named need.
func (b *Builder) packagesOf(ctx context.Context, workspace *cas.Tree, packages []string) (owners, needed map[string]bool, err error) {
	manifests := cas.NewTree()
	for p, e := range workspace.Entries {
		if path.Base(p) == "Cargo.toml" {
			manifests.Entries[p] = e
		}
	}
	digest, err := b.Store.PutTree(manifests)
	if err != nil {
		return nil, nil, err
	}
	root, err := b.tempDir("manifests")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(root)
	if err := b.Store.Materialise(ctx, digest, root, nil, nil); err != nil {
		return nil, nil, err
	}
	reached, err := cargoedit.Reach(root, packages)
	if err != nil {
		return nil, nil, err
	}
	owners, needed = map[string]bool{}, map[string]bool{}
	for p := range manifests.Entries {
		if dir := path.Dir(p); isPackage(filepath.Join(root, filepath.FromSlash(dir))) {
			owners[dir] = true
		}
	}
	for _, dir := range reached {
		needed[dir] = true
	}
	return owners, needed, nil
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

// sharesWorkspace tells whether several runs of cargo build from a recipe's workspace, as far as the
// recipes say.
func (b *Builder) sharesWorkspace(r *recipe.Recipe) bool {
	runs := 0
	for _, name := range b.Recipes.Names() {
		other, err := b.recipe(name)
		if err != nil || b.origin(other) != b.origin(r) || other.Cargo.Dir != r.Cargo.Dir ||
			!slices.Equal(other.Cargo.Members, r.Cargo.Members) {
			continue
		}
		for i := range other.Steps {
			s := &other.Steps[i]
			switch {
			case s.Kind != "cargo":
			case s.Artifact == "object":
				runs += len(s.Packages)
			default:
				runs++
			}
		}
	}
	return runs > 1
}

// origin is the recipe whose source a recipe builds.
func (b *Builder) origin(r *recipe.Recipe) string {
	seen := []string{}
	for r.Source.SameAs != "" && !slices.Contains(seen, r.Name) {
		seen = append(seen, r.Name)
		next, err := b.recipe(r.Source.SameAs)
		if err != nil {
			break
		}
		r = next
	}
	return r.Name
}
