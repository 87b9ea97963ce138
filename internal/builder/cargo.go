package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// cargoState is what cargo keeps in an exec root from build to build.
var cargoState = []string{"target", "home", "object"}

// readOnly is what compilers and linkers only read.
var readOnly = []string{"std", "sysroot"}

// keptRoots is how many exec roots of one step are kept: two toolchains or backends can take
// turns without throwing away each other's work.
const keptRoots = 2

// cargoStep makes the nodes of a cargo step: one per backend, and for objects one per package.
func (b *Builder) cargoStep(r *recipe.Recipe, s *recipe.Step) ([]*graph.Node, error) {
	groups, err := b.groups(r, s)
	if err != nil {
		return nil, err
	}
	var nodes []*graph.Node
	for _, g := range groups {
		id := r.Name + "/" + s.Name
		if len(groups) > 1 {
			id += "+" + string(g.backend)
		}
		if s.Artifact != "object" {
			n, err := b.cargoNode(id, r, s, g)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
			continue
		}
		for _, pkg := range g.packages {
			n, err := b.cargoNode(id+"/"+pkg, r, s, group{g.backend, []string{pkg}, []string{pkg}})
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

// cargoNode is one run of cargo.
func (b *Builder) cargoNode(id string, r *recipe.Recipe, s *recipe.Step, g group) (*graph.Node, error) {
	return b.once(id, func(n *graph.Node) error {
		c := &cargoRun{Builder: b, r: r, s: s, g: g, triple: b.Triple(s.Target)}
		if err := c.dependencies(id, n); err != nil {
			return err
		}
		n.Memory = 2 << 30
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) { return c.action(in) }
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			key, err := c.rootKey(id, job)
			if err != nil {
				return cas.Digest{}, err
			}
			out, err := b.run(ctx, job, execroot.Spec{Key: key, State: cargoState, Shared: c.shared(), Dir: "/", ExtraEnv: b.extraCargoEnv()}, c.collect)
			if err == nil {
				err = b.Roots.Keep(path.Dir(key), keptRoots)
			}
			return out, err
		}
		b.provenance[n] = provenance{backend: string(g.backend), recipe: r, step: s}
		return nil
	})
}

// cargoRun is what one run of cargo is made from.
type cargoRun struct {
	*Builder
	r       *recipe.Recipe
	s       *recipe.Step
	g       group
	triple  string
	sources *graph.Node // the workspace, or what the step needs of it
	std     *graph.Node // prepared, or sources when cargo builds it from others than the toolchain's; nil for the host
	sysroot *graph.Node // nil without one
	script  []resolved  // linker script, nil without one
	spec    []byte      // nil for the host
	clang   map[string]string
	commit  string // of the source, "" when it is no git source
}

func (c *cargoRun) host() bool { return c.s.Target == "host" }

func (c *cargoRun) dependencies(id string, n *graph.Node) (err error) {
	if c.sources, err = c.Builder.workspace(c.r.Name); err != nil {
		return err
	}
	if !c.r.Cargo.Whole && c.s.Dir == "" && c.sharesWorkspace(c.r) {
		if c.sources, err = c.narrow(id, c.sources, c.r.Cargo.Dir, c.g.packages); err != nil {
			return err
		}
	}
	n.Deps = []*graph.Node{c.sources}
	if c.commit, err = c.Builder.commit(c.r); err != nil {
		return err
	}
	if c.host() {
		return nil
	}
	if c.spec, err = c.Builder.spec(c.triple); err != nil {
		return err
	}
	if err := checkLinkLine(c.spec, c.s); err != nil {
		return err
	}
	if set := c.s.StdOrDefault(); set != "none" {
		if c.buildsStd(c.s) {
			c.std, err = c.stdSource(c.s.Target, set)
		} else {
			c.std, err = c.Builder.std(c.s.Target, set, c.g.backend)
		}
		if err != nil {
			return err
		}
		if c.std != nil {
			n.Deps = append(n.Deps, c.std)
		}
	}
	if c.s.Sysroot != "" {
		if c.sysroot, err = c.sysrootFor(c.s); err != nil {
			return err
		}
		n.Deps = append(n.Deps, c.sysroot)
	}
	if c.s.CC {
		if err := c.clangFor(c.r, c.s); err != nil {
			return err
		}
		if c.clang, err = c.clangEnv(c.triple); err != nil {
			return err
		}
	}
	if c.s.Script != "" {
		if c.script, err = c.resolve(c.r, c.s.Script); err != nil {
			return err
		}
		n.Deps = uniqueNodes(append(n.Deps, nodesOf(c.script)...))
	}
	return nil
}

func (c *cargoRun) action(in graph.Outputs) (*action.Action, error) {
	inputs, err := c.inputs(in)
	if err != nil {
		return nil, err
	}
	return &action.Action{Args: c.args(), Env: c.env(), Outputs: c.outputs(), Platform: c.checkedPlatform(c.s), Inputs: inputs}, nil
}

func (c *cargoRun) inputs(in graph.Outputs) (cas.Digest, error) {
	src, err := c.subdir(in[c.sources], "src")
	if err != nil {
		return cas.Digest{}, err
	}
	if dir := c.r.Cargo.Dir; dir != "" && c.enclosed[c.r.Name] {
		// Nothing in the workspace reaches outside of its folder.
		if src, err = c.only(src, dir); err != nil {
			return cas.Digest{}, err
		}
	}
	dirs := map[string]cas.Digest{"src": src}
	if c.std != nil {
		dirs["std"] = in[c.std]
	}
	if c.sysroot != nil {
		if dirs["sysroot"], err = c.subdir(in[c.sysroot], "root"); err != nil {
			return cas.Digest{}, err
		}
	}
	if c.spec != nil {
		if dirs["spec"], err = c.folderOf(c.triple+".json", c.spec); err != nil {
			return cas.Digest{}, err
		}
	}
	if c.script != nil {
		if dirs["script"], err = c.scriptFolder(in); err != nil {
			return cas.Digest{}, err
		}
	}
	return c.inputRoot(dirs, nil)
}

// only is a tree with nothing in it but one folder of another tree, where it is there.
func (c *cargoRun) only(tree cas.Digest, dir string) (cas.Digest, error) {
	sub, err := c.subdir(tree, dir)
	if err != nil {
		return cas.Digest{}, err
	}
	return c.Store.Graft(cas.Digest{}, dir, sub)
}

// scriptFolder holds the linker script alone. Cargo does not look at what the linker reads; as an
// input of its own the script is part of the exec root's key, so that a change of it links again.
func (c *cargoRun) scriptFolder(in graph.Outputs) (cas.Digest, error) {
	e, _, err := c.find(in, c.script, c.s.Script)
	if err != nil {
		return cas.Digest{}, err
	}
	if e.Dir {
		return cas.Digest{}, fmt.Errorf("%q is a folder; step %s wants a linker script", c.s.Script, c.s.Name)
	}
	return c.Store.PutDirectory(&cas.Directory{Files: []cas.FileNode{{Name: path.Base(c.s.Script), Digest: e.Digest}}})
}

func (c *cargoRun) args() []string {
	verb := "build"
	if c.s.Artifact == "object" {
		verb = "rustc"
	}
	args := []string{cargoPath, verb, "--manifest-path", join(path.Join("%{root}/src", c.r.Cargo.Dir, c.s.Dir), "Cargo.toml"), "--locked", "--release"}
	if !c.host() {
		_, cargoJSON := c.jsonTargetFlags()
		args = append(args, "--target", "%{root}/spec/"+c.triple+".json")
		args = append(args, cargoJSON...)
	}
	if c.buildsStd(c.s) {
		args = append(args, buildStdFlags[c.s.StdOrDefault()]...)
	}
	for _, p := range c.g.packages {
		args = append(args, "-p", p)
	}
	if c.s.DefaultFeatures != nil && !*c.s.DefaultFeatures {
		args = append(args, "--no-default-features")
	}
	if len(c.s.Features) > 0 {
		args = append(args, "--features", strings.Join(c.s.Features, ","))
	}
	switch c.s.Artifact {
	case "staticlib":
		args = append(args, "--lib")
	case "object":
		args = append(args, "--lib", "--", "--emit", "obj=%{root}/object/"+c.g.packages[0]+".o")
	default:
		for _, bin := range c.g.bins {
			args = append(args, "--bin", bin)
		}
	}
	return append(args, c.s.Args...)
}

func (c *cargoRun) env() map[string]string {
	env := cargoEnv()
	for _, more := range []map[string]string{c.clang, c.s.Env} {
		for name, value := range more {
			env[name] = strings.ReplaceAll(value, commitWord, c.commit)
		}
	}
	if c.host() {
		env["CARGO_ENCODED_RUSTFLAGS"] = encodeFlags(append(remaps(), c.s.RustFlags...))
		return env
	}
	flags, _ := c.jsonTargetFlags()
	flags = append(flags, backendFlags(c.g.backend)...)
	if c.s.RulesOrDefault() == "program" {
		flags = append(flags, sizeFlags(c.g.backend)...)
	}
	if c.std != nil {
		flags = append(flags, "--sysroot=%{root}/std")
	}
	if c.sysroot != nil {
		flags = append(flags, "-Lnative=%{root}/sysroot/lib")
	}
	if c.s.Script != "" {
		flags = append(flags, "-Clink-arg=-T", "-Clink-arg=%{root}/script/"+path.Base(c.s.Script))
	}
	flags = append(flags, remaps()...)
	if c.hasOwnStd() {
		env[ownStdVariable] = ownStd + "/library"
		flags = append(flags, "--remap-path-prefix="+ownStd+"=/rustc/std")
	}
	env["CARGO_ENCODED_RUSTFLAGS"] = encodeFlags(append(flags, c.s.RustFlags...))
	return env
}

// outputs are the files kept, relative to the exec root.
func (c *cargoRun) outputs() []string {
	release := path.Join("target", c.triple, "release")
	if c.host() {
		release = "target/release"
	}
	var out []string
	switch c.s.Artifact {
	case "staticlib":
		for _, p := range c.g.packages {
			out = append(out, path.Join(release, "lib"+strings.ReplaceAll(p, "-", "_")+".a"))
		}
	case "object":
		out = append(out, "object/"+c.g.packages[0]+".o")
	default:
		suffix := ""
		if c.s.Target == "uefi" {
			suffix = ".efi"
		}
		for _, bin := range c.g.bins {
			out = append(out, path.Join(release, bin+suffix))
		}
	}
	return out
}

// collect takes the outputs by their base names. One changed program of two dozen costs the check and the
// digest of one: a file that was collected from this folder before, and is known by its inode, was checked then.
func (c *cargoRun) collect(ctx context.Context, root string) (*cas.Tree, error) {
	if c.hasOwnStd() {
		if err := checkOwnStd(filepath.Join(root, "target", c.triple, "release/deps")); err != nil {
			return nil, err
		}
	}
	tree, made := cas.NewTree(), execroot.Made(root)
	for _, out := range c.outputs() {
		file := filepath.Join(root, filepath.FromSlash(out))
		info, err := os.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("cargo ended well but did not make %s: %w", path.Base(out), err)
		}
		if !made.Knows(file) {
			if err := c.checkLinked(file, c.s); err != nil {
				return nil, err
			}
		}
		d, err := c.Store.PutKnownFile(ctx, file, made)
		if errors.As(err, new(*cas.OtherContentError)) {
			// Cargo goes by dates and would take it for finished again.
			err = errors.Join(err, os.RemoveAll(filepath.Join(root, "target")), execroot.ForgetMade(root))
			return nil, fmt.Errorf("what cargo had built is damaged and was removed; make the same run once more: %w", err)
		}
		if err != nil {
			return nil, err
		}
		tree.Entries[path.Base(out)] = cas.Entry{Digest: d, Executable: info.Mode()&0o100 != 0}
	}
	return tree, made.Save()
}

// rootKey names the exec root: everything of the action but the sources, which cargo
// compares itself. What cargo does not look at (the std and C libraries it links) is in the key, so
// that a change of them starts with an empty target folder.
func (c *cargoRun) rootKey(id string, job *graph.Job) (string, error) {
	dir, err := c.Store.LoadDirectory(job.Action.Inputs)
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
		if d.Name != "src" {
			described.Inputs[d.Name] = d.Digest.Hash
		}
	}
	text, err := json.Marshal(described)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return strings.ReplaceAll(id, "/", ".") + "/" + hex.EncodeToString(sum[:8]), nil
}
