package builder

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/crates"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
)

// vendor is the node of the crates that the cargo steps of a recipe compile.
func (b *Builder) vendor(r *recipe.Recipe) (*graph.Node, error) {
	on := b.platforms()
	var packages []string
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Kind != recipe.KindCargo {
			continue
		}
		packages = append(packages, s.Packages...)
		if s.Target == recipe.TargetHost {
			continue
		}
		triple := b.Triple(s.Target)
		spec, err := b.spec(triple)
		if err != nil {
			return nil, err
		}
		on.Specs[triple] = spec
	}
	slices.Sort(packages)
	return b.sources.Vendor(r, slices.Compact(packages), on)
}

// platforms has no spec yet.
func (b *Builder) platforms() prepare.Platforms {
	on := prepare.Platforms{Specs: map[string][]byte{}}
	on.Rustc, on.Cargo = b.jsonTargetFlags()
	return on
}

// stdPlatforms are all that the standard library may be compiled for, so that one node serves all steps.
func (b *Builder) stdPlatforms() (prepare.Platforms, error) {
	on := b.platforms()
	for _, kind := range []recipe.TargetKind{recipe.TargetUser, recipe.TargetKernel, recipe.TargetUEFI} {
		triple := b.Triple(kind)
		spec, err := b.spec(triple)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a target of one's own need not have all
		}
		if err != nil {
			return on, err
		}
		on.Specs[triple] = spec
	}
	return on, nil
}

func (b *Builder) stdCrates() (*graph.Node, error) {
	on, err := b.stdPlatforms()
	if err != nil {
		return nil, err
	}
	return b.sources.StdCrates(on)
}

// Fetch is the nodes that bring everything the recipes need to this machine: sources, the crates their lock files name, and the
// crates of the standard library. After them builds work offline.
func (b *Builder) Fetch(names []string) ([]*graph.Node, error) {
	std, err := b.stdCrates()
	if err != nil {
		return nil, err
	}
	nodes := []*graph.Node{std}
	for _, name := range names {
		ws, err := b.sources.Workspace(name)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, ws.Node)
		r, err := b.recipe(name)
		if err != nil {
			return nil, err
		}
		if !r.UsesCargo() {
			continue
		}
		crates, err := b.vendor(r)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, crates)
	}
	return graph.Unique(nodes), nil
}

// fromVendor makes cargo take every crate from the step's inputs.
func fromVendor() []string {
	return []string{"--frozen", "--config", "%{root}/" + prepare.VendorFolder + "/" + crates.ConfigName}
}

// crateFolder gives crates the place that they have in cargo's home, where they lay before they were inputs: their paths are in panic
// messages.
const crateFolder = "%{root}/" + prepare.VendorFolder + "/registry=/cargo/registry/src/index.crates.io-1949cf8c6b5b557f"

func crateRemaps() []string { return []string{"--remap-path-prefix=" + crateFolder} }

// crates are the inputs of the step that it takes crates from. One that builds the standard library compiles that one's as well.
func (c *cargoRun) crates(in graph.Outputs) (cas.Digest, error) {
	if c.stdCrates == nil {
		return in[c.vendor], nil
	}
	store := c.t.b.store
	all, err := store.LoadTree(in[c.vendor])
	if err != nil {
		return cas.Digest{}, err
	}
	std, err := store.LoadTree(in[c.stdCrates])
	if err != nil {
		return cas.Digest{}, err
	}
	const registry = "registry/"
	names := map[string]bool{}
	for p := range std.Entries {
		crate, _, _ := strings.Cut(p, "/")
		names[crate] = true
	}
	for crate := range names {
		own := all.Sub(registry + crate)
		_, leftOut := own.Entries[crates.StubSource]
		if len(own.Entries) > 0 && !leftOut {
			continue
		}
		for file := range own.Entries {
			delete(all.Entries, path.Join(registry, crate, file))
		}
		all.Graft(registry+crate, std.Sub(crate))
	}
	return store.PutTree(all)
}
