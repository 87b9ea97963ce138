// Package builder turns recipes into a graph of actions.
//
// It owns what each kind of step runs, with which inputs, environment and outputs: in other
// words everything that decides the bytes of a result. It must not know how the graph is
// scheduled (package graph), how a command is isolated (package execroot) or what a file
// format looks like inside (packages initfs, elfcheck, staticlib).
//
// The nodes of a recipe NAME:
//
//	NAME/source      the source as upstream has it (or as an override says)
//	NAME/patch       with the patch series applied
//	NAME/workspace   with its Cargo workspace fitted: members pruned, git dependencies replaced
//	NAME/STEP        one step of the recipe
//	NAME/strip/FILE  one stripped file
//	NAME             the staged tree with its manifest
//	NAME/initfs      the image, for a recipe that has one
//	std/TARGET/…     the prepared standard library, shared by all recipes
package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/targetspec"
)

// Tools is what a build needs to know of the toolchain. The paths are not part of any digest, the
// identity is.
type Tools struct {
	// Name is for people: "rustc 1.94.0-nightly (fcd630976 2026-01-01)".
	Name string
	// Identity is the digest of the toolchain's content and of what was probed.
	Identity string
	// BinDir holds rustc and cargo; RustSrc is the folder that has library/.
	BinDir, RustSrc                                string
	Rustc, Cargo, LLD, NM, Objcopy, Strip, Archive string
	// Clang compiles the C in crates. It is not of the toolchain: only what uses it depends on it.
	Clang Clang
	// Compiler is what a target spec has to know.
	Compiler targetspec.Compiler
	// RustcUnstable: rustc reads a JSON spec only with -Zunstable-options. CargoJSON: cargo only
	// with -Zjson-target-spec. Cranelift: the backend is there and works for JSON targets.
	RustcUnstable, CargoJSON, Cranelift bool
	// CraneliftProblem is what the probe found wrong when Cranelift is not there or does not work.
	CraneliftProblem string
	// CraneliftLacks is what the Cranelift backend cannot do of what a step may need, and the compiler's
	// words. It is not part of any digest: it decides whether something is built, not how.
	CraneliftLacks map[string]string
}

// Sources gets sources; source.Fetcher does it.
type Sources interface {
	Fetch(ctx context.Context, r *source.Resolved) error
	Export(ctx context.Context, r *source.Resolved, dir string) error
}

// Options are the settings of a Builder.
type Options struct {
	Recipes recipe.Set
	// Broken is what is wrong with the recipes that are not among them.
	Broken  recipe.Broken
	Profile string
	// Target is the user-space target; the kernel's and the firmware's names follow from it.
	Target string
	Tools  Tools
	Store  *cas.Store
	Roots  *execroot.Runner
	// Specs holds the target specs, Patches the patch series.
	Specs, Patches fs.FS
	Sources        Sources
	// Overrides are the git dependencies replaced by the user.
	Overrides *source.Overrides
	Backends  Backends
	// Std is the user's choice over what the recipes say.
	Std StdMode
	// Stats spares hashing source folders again.
	Stats *cas.StatCache
	// CargoHome is cargo's home, owned by the build.
	CargoHome string
	// Offline forbids the network; NetworkEnv is the proxy settings for when it is allowed.
	Offline    bool
	NetworkEnv []string
	// MayFallBack lets the recipes named go on with LLVM where Cranelift is missing.
	MayFallBack bool
	// Notice receives lines about overrides and fallbacks, each once.
	Notice func(string)
}

// Builder makes nodes; asked twice for one it gives the same node.
type Builder struct {
	Options
	nodes map[string]*graph.Node
	said  map[string]bool
	specs map[string][]byte
	// provenance tells of each node whose output is compiled code what made it.
	provenance map[*graph.Node]provenance
	// captured are the folders that were read.
	captured sync.Map
	// manifests of staged trees by the digest of the tree.
	manifests sync.Map
	// enclosed are the recipes whose workspace reaches nothing outside of its folder.
	enclosed map[string]bool
}

// New returns a Builder.
func New(o Options) *Builder {
	return &Builder{Options: o, nodes: map[string]*graph.Node{}, said: map[string]bool{}, specs: map[string][]byte{},
		provenance: map[*graph.Node]provenance{}, enclosed: map[string]bool{}}
}

// recipe returns a recipe as the profile has it.
func (b *Builder) recipe(name string) (*recipe.Recipe, error) {
	if err := b.Broken[name]; err != nil {
		return nil, err
	}
	r, ok := b.Recipes[name]
	if !ok {
		return nil, &UnknownRecipeError{Name: name, Known: b.Recipes.Names()}
	}
	return r.WithProfile(b.Profile), nil
}

// UnknownRecipeError names a recipe that is not there.
type UnknownRecipeError struct {
	Name  string
	Known []string
}

func (e *UnknownRecipeError) Error() string {
	return fmt.Sprintf("there is no recipe %q; there are %s", e.Name, strings.Join(e.Known, ", "))
}

// recipeError is an error with the recipe file it is about.
type recipeError struct {
	path string
	err  error
}

func (e *recipeError) Error() string { return e.path + ": " + e.err.Error() }

func (e *recipeError) Unwrap() error { return e.err }

// inRecipe names the recipe file an error is about, unless a recipe further down has done so: a
// chain of all the recipes that need it helps nobody.
func inRecipe(r *recipe.Recipe, err error) error {
	if errors.As(err, new(*recipeError)) {
		return err
	}
	return &recipeError{r.Path, err}
}

// once makes a node the first time it is asked for.
func (b *Builder) once(id string, make func(*graph.Node) error) (*graph.Node, error) {
	if n := b.nodes[id]; n != nil {
		return n, nil
	}
	n := &graph.Node{ID: id}
	if err := make(n); err != nil {
		return nil, err
	}
	b.nodes[id] = n
	return n, nil
}

func (b *Builder) notice(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if !b.said[line] && b.Notice != nil {
		b.Notice(line)
	}
	b.said[line] = true
}

// Triple is the name of a kind of target beside the user-space one.
func (b *Builder) Triple(kind string) string {
	switch kind {
	case "kernel":
		return b.Target + "-kernel"
	case "uefi":
		arch, _, _ := strings.Cut(b.Target, "-")
		return arch + "-unknown-uefi-clif"
	}
	return b.Target
}

// spec is the JSON target spec for the compiler in use.
func (b *Builder) spec(triple string) ([]byte, error) {
	if b.specs[triple] != nil {
		return b.specs[triple], nil
	}
	s, err := targetspec.Load(b.Specs, triple)
	if err != nil {
		return nil, err
	}
	text, err := s.JSON(b.Tools.Compiler)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", triple, err)
	}
	b.specs[triple] = text
	return text, nil
}

// platform is what every action that runs a tool of the toolchain has in its digest.
func (b *Builder) platform() map[string]string {
	return map[string]string{"toolchain": b.Tools.Identity}
}

// checkedPlatform is platform for a step whose result is held to the ELF rules.
func (b *Builder) checkedPlatform(s *recipe.Step) map[string]string {
	p := b.platform()
	if rules := s.RulesOrDefault(); rules != "none" {
		p["elf-rules"] = rules + "/" + elfcheck.Version
	}
	if s.CC {
		p["clang"] = b.Tools.Clang.Identity
	}
	return p
}

// inputRoot composes an input tree of whole folders, without looking into them.
func (b *Builder) inputRoot(dirs map[string]cas.Digest, files map[string]cas.Entry) (cas.Digest, error) {
	d := &cas.Directory{}
	for name, digest := range dirs {
		d.Dirs = append(d.Dirs, cas.DirNode{Name: name, Digest: digest})
	}
	for name, e := range files {
		d.Files = append(d.Files, cas.FileNode{Name: name, Digest: e.Digest, Executable: e.Executable})
	}
	return b.Store.PutDirectory(d)
}

// folderOf stores a small file of our making and returns a folder that holds just it.
func (b *Builder) folderOf(name string, content []byte) (cas.Digest, error) {
	d, err := b.Store.PutBytes(content)
	if err != nil {
		return cas.Digest{}, err
	}
	return b.Store.PutDirectory(&cas.Directory{Files: []cas.FileNode{{Name: name, Digest: d}}})
}

// subdir is the digest of a folder of a tree, and an error that names what is missing.
func (b *Builder) subdir(root cas.Digest, path string) (cas.Digest, error) {
	e, ok, err := b.Store.Lookup(root, path)
	if err != nil {
		return cas.Digest{}, err
	}
	if !ok || !e.Dir {
		return cas.Digest{}, fmt.Errorf("there is no folder %s", path)
	}
	return e.Digest, nil
}

// run performs an action in an exec root, with the log and status of its job.
func (b *Builder) run(ctx context.Context, job *graph.Job, s execroot.Spec, collect execroot.Collect) (cas.Digest, error) {
	s.Action, s.Log, s.LogPath, s.Status = job.Action, job.Log, job.LogPath, job.Status
	return b.Roots.Run(ctx, s, collect)
}

// builtin is the action of a step this program does itself. The version is part of its
// name and is raised when its output for equal input changes.
func builtin(name string, version int, args ...string) *action.Action {
	return &action.Action{Args: append([]string{fmt.Sprintf("builtin:%s/%d", name, version)}, args...)}
}
