package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
)

// cargoState is what cargo keeps in an exec root from build to build.
var cargoState = []string{"target", "home", "object"}

// readOnly is what compilers and linkers only read.
var readOnly = []string{"std", "sysroot"}

// keptRoots is how many exec roots of one step are kept: two toolchains or backends can take
// turns without throwing away each other's work.
const keptRoots = 2

// cargoProducts are what a cargo step makes: by a node for each backend, and for objects one for each package. Programs
// are linked by a node each, of what the compile recorded.
func cargoProducts(t *step) ([]product, error) {
	groups, err := t.b.groups(t.r, t.s)
	if err != nil {
		return nil, err
	}
	var all []product
	for _, g := range groups {
		id := t.id()
		if len(groups) > 1 {
			id += "+" + string(g.backend)
		}
		made, err := groupProducts(t, id, g)
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	return all, nil
}

// groupProducts are what a step makes by one backend.
func groupProducts(t *step, id string, g group) ([]product, error) {
	if t.s.Artifact == recipe.ArtifactObject {
		var objects []product
		for _, pkg := range g.packages {
			id := id + "/" + pkg
			n, err := t.b.runNode(id, &cargoRun{t: t, id: id, g: group{g.backend, []string{pkg}, []string{pkg}}})
			if err != nil {
				return nil, err
			}
			objects = append(objects, product{node: n})
		}
		return objects, nil
	}
	c := &cargoRun{t: t, id: id, g: g}
	n, err := t.b.runNode(id, c)
	if err != nil {
		return nil, err
	}
	if !c.recordsLinks() {
		return []product{{node: n}}, nil
	}
	return c.linkedPrograms(n)
}

// linkedPrograms are the nodes that link the programs of a compile.
func (c *cargoRun) linkedPrograms(compile *graph.Node) ([]product, error) {
	var programs []product
	for _, name := range c.programs() {
		s := *c.t.s
		s.Output = name
		t := newStep(c.t.b, c.t.r, &s)
		n, err := t.b.runNode(c.id+"/link/"+name, &linkRun{t, &recordedLine{t: t, compile: compile, run: c}})
		if err != nil {
			return nil, err
		}
		programs = append(programs, product{n, name})
	}
	return programs, nil
}

// group is the packages of a step that share a backend.
type group struct {
	backend  recipe.Backend
	packages []string
	bins     []string
}

// groups splits a cargo step by backend. Most steps are one group.
func (b *Builder) groups(r *recipe.Recipe, s *recipe.Step) ([]group, error) {
	by := map[recipe.Backend]*group{}
	for _, pkg := range s.Packages {
		backend, err := b.available(r, s, b.choose(r, s, pkg))
		if err != nil {
			return nil, err
		}
		if by[backend] == nil {
			by[backend] = &group{backend: backend}
		}
		by[backend].packages = append(by[backend].packages, pkg)
	}
	if len(by) > 1 && len(s.Bins) > 0 {
		return nil, fmt.Errorf("step %s/%s names its bins, so it cannot be split among backends: choose one for %s/%s", r.Name, s.Name, r.Name, s.Name)
	}
	var out []group
	for _, g := range by {
		g.bins = g.packages
		if len(s.Bins) > 0 {
			g.bins = s.Bins
		}
		out = append(out, *g)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].backend < out[j].backend })
	return out, nil
}

// sharesWorkspace tells whether several runs of cargo build from a recipe's workspace, as far as the
// recipes say.
func (b *Builder) sharesWorkspace(r *recipe.Recipe) (bool, error) {
	mine, err := b.sources.Origin(r)
	if err != nil {
		return false, err
	}
	members, err := b.sources.Members(r)
	if err != nil {
		return false, err
	}
	runs := 0
	for _, name := range b.o.Sources.Recipes.Names() {
		other, err := b.recipe(name)
		if err != nil {
			return false, err
		}
		origin, err := b.sources.Origin(other)
		if err != nil {
			return false, err
		}
		kept, err := b.sources.Members(other)
		if err != nil {
			return false, err
		}
		if origin.Name == mine.Name && other.Cargo.Dir == r.Cargo.Dir && slices.Equal(kept, members) {
			runs += runsOfCargo(other)
		}
	}
	return runs > 1, nil
}

func runsOfCargo(r *recipe.Recipe) (runs int) {
	for i := range r.Steps {
		switch s := &r.Steps[i]; {
		case s.Kind != recipe.KindCargo:
		case s.Artifact == recipe.ArtifactObject:
			runs += len(s.Packages)
		default:
			runs++
		}
	}
	return runs
}

// cargoRun is one run of cargo.
type cargoRun struct {
	t       *step
	id      string // of the node
	g       group
	sources *graph.Node // the workspace, or what the step needs of it
	vendor  *graph.Node // its crates
	// stdCrates are those of the standard library, where cargo builds that too; else nil.
	stdCrates *graph.Node
	// selfContained: the workspace's folder is all that is needed of the source.
	selfContained bool
	std           *graph.Node // prepared, or sources when cargo builds it from others than the toolchain's; nil for the host
	sysroot       *graph.Node // what the compile needs of it, nil if nothing
	spec          []byte      // nil for the host
	clang         map[string]string
	commit        string // of the source, "" when it is no git source
	edited        bool   // the source is under edit
}

func (c *cargoRun) host() bool { return c.t.s.Target == recipe.TargetHost }

// recordsLinks tells whether the programs are linked by nodes of their own. The host's are linked by its own linker,
// which knows where its libraries are.
func (c *cargoRun) recordsLinks() bool {
	return !c.host() && (c.t.s.Artifact == "" || c.t.s.Artifact == recipe.ArtifactBin)
}

// sharesStd tells whether the standard library is one that was prepared, whose crates are linked from where they are.
func (c *cargoRun) sharesStd() bool { return c.std != nil && !c.t.b.buildsStd(c.t.s) }

func (c *cargoRun) check() (needs, error) {
	for _, part := range []func() error{c.checkSources, c.checkStd, c.checkSysroot} {
		if err := part(); err != nil {
			return needs{}, err
		}
	}
	n := needs{nodes: []*graph.Node{c.sources, c.vendor}, memory: 2 << 30, typical: 30 * time.Second, local: c.host() || c.edited, elsewhere: c.mayGo() && !c.edited, provenance: provenance{backend: c.g.backend, recipe: c.t.r, step: c.t.s}}
	for _, node := range []*graph.Node{c.std, c.sysroot, c.stdCrates} {
		if node != nil {
			n.nodes = append(n.nodes, node)
		}
	}
	return n, nil
}

// checkSources finds what cargo compiles.
func (c *cargoRun) checkSources() error {
	b, r := c.t.b, c.t.r
	ws, err := b.sources.Workspace(r.Name)
	if err != nil {
		return err
	}
	c.sources, c.selfContained = ws.Node, ws.SelfContained
	if c.vendor, err = b.vendor(r); err != nil {
		return err
	}
	if c.commit, err = b.sources.Commit(r); err != nil {
		return err
	}
	if c.edited, err = b.sources.Edited(r); err != nil {
		return err
	}
	if r.Cargo.Whole || c.t.s.Dir != "" {
		return nil
	}
	shared, err := b.sharesWorkspace(r)
	if err == nil && shared {
		c.sources, err = b.sources.StepSources(c.id, ws, r.Cargo.Dir, c.g.packages)
	}
	return err
}

// checkStd finds the target and the standard library, which the host has its own of.
func (c *cargoRun) checkStd() (err error) {
	if c.host() {
		return nil
	}
	b, s := c.t.b, c.t.s
	if c.spec, err = b.spec(c.t.triple); err != nil {
		return err
	}
	switch set := s.StdOrDefault(); {
	case set == recipe.StdNone:
	case b.buildsStd(s):
		if c.stdCrates, err = b.stdCrates(); err != nil {
			return err
		}
		c.std, err = b.stdSource(s.TargetOrDefault(), set)
	default:
		c.std, err = b.std(s.TargetOrDefault(), set, c.g.backend)
	}
	return err
}

// checkSysroot finds what the C in crates is compiled by and with, and the C libraries for what is no program but has them
// in it.
func (c *cargoRun) checkSysroot() (err error) {
	b, s := c.t.b, c.t.s
	if c.host() {
		return nil
	}
	switch {
	case s.Sysroot == "":
	case !c.recordsLinks() && s.CC:
		c.sysroot, err = b.Stage(s.Sysroot)
	case !c.recordsLinks():
		c.sysroot, err = b.sysroot(s.Sysroot, libraries)
	case s.CC:
		c.sysroot, err = b.sysroot(s.Sysroot, headers)
	}
	if err != nil {
		return err
	}
	if !s.CC {
		return nil
	}
	if err := b.needClang(c.t.id()); err != nil {
		return err
	}
	c.clang, err = b.clangEnv(c.t.triple)
	return err
}

func (c *cargoRun) plan(in graph.Outputs) (*action.Action, error) {
	inputs, err := c.inputs(in)
	if err != nil {
		return nil, err
	}
	salt := c.t.b.compileSalt(c.t.s)
	if !c.recordsLinks() {
		maps.Copy(salt, c.t.b.checkedSalt(c.t.s))
	}
	return &action.Action{Args: c.args(), Env: c.env(), Outputs: c.outputs(), Salt: salt, Inputs: inputs}, nil
}

func (c *cargoRun) inputs(in graph.Outputs) (cas.Digest, error) {
	b := c.t.b
	src, err := b.subdir(in[c.sources], "src")
	if err != nil {
		return cas.Digest{}, err
	}
	if dir := c.t.r.Cargo.Dir; dir != "" && c.selfContained {
		if src, err = b.only(src, dir); err != nil {
			return cas.Digest{}, err
		}
	}
	dirs := map[string]cas.Digest{"src": src}
	if dirs[prepare.VendorFolder], err = c.crates(in); err != nil {
		return cas.Digest{}, err
	}
	if c.std != nil {
		dirs["std"] = in[c.std]
	}
	if c.sysroot != nil {
		if dirs["sysroot"], err = b.subdir(in[c.sysroot], "root"); err != nil {
			return cas.Digest{}, err
		}
	}
	if c.spec != nil {
		if dirs["spec"], err = b.folderOf(c.t.triple+".json", c.spec); err != nil {
			return cas.Digest{}, err
		}
	}
	if c.recordsLinks() {
		if dirs[linkline.RecorderFolder], err = b.recorder(); err != nil {
			return cas.Digest{}, err
		}
	}
	return b.store.Compose(dirs, nil)
}

// only is a tree with nothing in it but one folder of another tree, where it is there.
func (b *Builder) only(tree cas.Digest, dir string) (cas.Digest, error) {
	sub, err := b.subdir(tree, dir)
	if err != nil {
		return cas.Digest{}, err
	}
	return b.store.Graft(cas.Digest{}, dir, sub)
}

func (c *cargoRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	key, err := c.rootKey(job)
	if err != nil {
		return cas.Digest{}, err
	}
	b := c.t.b
	out, err := b.run(ctx, job, execroot.Spec{Key: key, State: cargoState, Shared: c.shared()}, c.collect, c.elsewhere(job))
	if err == nil {
		err = b.roots.Keep(path.Dir(key), keptRoots)
	}
	var failed *execroot.CommandError
	if errors.As(err, &failed) {
		places{b: b, r: c.t.r, dir: path.Join("src", c.t.r.Cargo.Dir)}.rename(failed)
	}
	if src, lost := b.subdir(job.Inputs[c.sources], "src"); lost == nil {
		err = b.sources.Explain(ctx, c.t.r, src, path.Join(c.t.r.Cargo.Dir, c.t.s.Dir), err)
	}
	return out, err
}

// rootKey names the exec root: everything of the action but the sources and crates, which cargo
// compares itself. What cargo does not look at (the std and C libraries it links) is in the key, so
// that a change of them starts with an empty target folder.
func (c *cargoRun) rootKey(job *graph.Job) (string, error) {
	dir, err := c.t.b.store.LoadDirectory(job.Action.Inputs)
	if err != nil {
		return "", err
	}
	rest := *job.Action
	rest.Inputs = cas.Digest{}
	described := struct {
		Action action.Action
		Inputs map[string]string
	}{rest, map[string]string{}}
	for _, d := range dir.Dirs {
		// A crate of the lock is the same for ever, as cargo takes it too; it knows another version or commit.
		if d.Name != "src" && d.Name != prepare.VendorFolder {
			described.Inputs[d.Name] = d.Digest.Hash
		}
	}
	text, err := json.Marshal(described)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return strings.ReplaceAll(c.id, "/", ".") + "/" + hex.EncodeToString(sum[:8]), nil
}
