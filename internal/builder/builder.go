// Package builder turns recipes into a graph of actions.
//
// It owns what each kind of step runs, with which inputs, environment and outputs: in other
// words everything that decides the bytes of a result. It must not know how a source is made ready
// to compile (package prepare), how the graph is scheduled (package graph), how a command is isolated
// (package execroot) or what a file format looks like inside (packages initfs, elfcheck, staticlib).
//
// The nodes of a recipe NAME, beside those of package prepare:
//
//	NAME/STEP        one step of the recipe; the table of their kinds is in kinds.go
//	NAME/STEP/link/PROGRAM  one linked program of a cargo step
//	NAME/strip/FILE  one stripped file
//	NAME             the staged tree with its manifest
//	NAME/initfs      the image, for a recipe that has one
//	NAME/image       the image with the manifest that says where its files come from
//	std/TARGET/…     the prepared standard library, shared by all recipes
package builder

import (
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"sync"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolenv"
	"github.com/pannous/redox-clif/internal/worker"
)

// Tools is what a build needs to know of the toolchain. The paths are not part of any digest, the
// identity is.
type Tools struct {
	// Name is for people: "rustc 1.94.0-nightly (fcd630976 2026-01-01)".
	Name string
	// Identity is the digest of the toolchain's content and of what was probed.
	Identity string
	// BinDir holds rustc and cargo; RustSrc is the folder that has library/.
	BinDir, RustSrc            string
	Rustc, Cargo, LLD, Archive string
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
	CraneliftLacks map[recipe.Need]string
	// Install, when it is set, installs the toolchain, which is known and not there yet. It is called before the first tool runs.
	Install func(context.Context) error
}

// Placeholders are the values of the words of package toolenv for a toolchain and a home of cargo.
func Placeholders(t Tools, home string) map[string]string {
	return map[string]string{
		toolenv.Rustc: t.Rustc, toolenv.Cargo: t.Cargo, toolenv.LLD: t.LLD,
		toolenv.Ar: t.Archive, toolenv.Clang: t.Clang.Path, toolenv.RustSrc: t.RustSrc,
		toolenv.BinDir: t.BinDir, toolenv.CargoHome: home,
	}
}

// Options are the settings of a Builder.
type Options struct {
	// Sources says how sources are made ready. Its recipes, store and exec roots are the builder's as well; what it
	// has to know of the toolchain is taken from Tools.
	Sources prepare.Options
	// Set is the release set that Sources are of; it is for manifests.
	Set string
	// Target is the user-space target; the kernel's and the firmware's names follow from it.
	Target string
	Tools  Tools
	// Specs holds the target specs.
	Specs    fs.FS
	Backends Backends
	// Std is the user's choice over what the recipes say.
	Std StdMode
	// MayFallBack lets steps go on with LLVM where Cranelift is missing. It is announced by Sources.Notice.
	MayFallBack bool
	// Workers are other machines that run steps; nil without any.
	Workers *worker.Farm
	// DebugInfo has programs and kernels compiled with debug information, for those who look at them with their symbols.
	DebugInfo bool
}

// Builder makes nodes; asked twice for one it gives the same node.
type Builder struct {
	o       Options
	sources *prepare.Sources
	store   *cas.Store
	roots   *execroot.Runner
	nodes   graph.Nodes
	// specs are the JSON target specs by triple.
	specs map[string][]byte
	// provenance tells of each node whose output is compiled code what made it.
	provenance map[*graph.Node]provenance
	// manifests of staged trees by the digest of the tree.
	manifests sync.Map
	fellBack  bool
}

// New returns a Builder.
func New(o Options) *Builder {
	o.Sources.Toolchain, o.Sources.RustSrc = o.Tools.Identity, o.Tools.RustSrc
	return &Builder{
		o: o, sources: prepare.New(o.Sources), store: o.Sources.Store, roots: o.Sources.Roots,
		nodes: graph.Nodes{}, specs: map[string][]byte{}, provenance: map[*graph.Node]provenance{},
	}
}

// Sources makes the nodes of sources.
func (b *Builder) Sources() *prepare.Sources { return b.sources }

// Toolchain names the toolchain for people.
func (b *Builder) Toolchain() string { return b.o.Tools.Name }

// Close gives up the folders that running nodes has taken.
func (b *Builder) Close() error { return b.roots.Close() }

func (b *Builder) recipe(name string) (*recipe.Recipe, error) { return b.o.Sources.Recipes.Get(name) }

// Triple is the name of a target beside the user-space one.
func (b *Builder) Triple(kind recipe.TargetKind) string {
	switch kind {
	case recipe.TargetKernel:
		return b.o.Target + "-kernel"
	case recipe.TargetUEFI:
		return targetspec.Arch(b.o.Target) + "-unknown-uefi-clif"
	}
	return b.o.Target
}

func (b *Builder) machine() (elf.Machine, error) {
	return elfcheck.MachineOf(targetspec.Arch(b.o.Target))
}

// spec is the JSON target spec for the compiler in use.
func (b *Builder) spec(triple string) ([]byte, error) {
	if b.specs[triple] != nil {
		return b.specs[triple], nil
	}
	s, err := targetspec.Load(b.o.Specs, triple)
	if err != nil {
		return nil, err
	}
	text, err := s.JSON(b.o.Tools.Compiler)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", triple, err)
	}
	b.specs[triple] = text
	return text, nil
}

// salt is what every action that runs a tool of the toolchain has in its digest.
func (b *Builder) salt() map[string]string {
	return map[string]string{"toolchain": b.o.Tools.Identity}
}

// compileSalt is salt for what compiles a step.
func (b *Builder) compileSalt(s *recipe.Step) map[string]string {
	p := b.salt()
	if s.CC {
		p["clang"] = b.o.Tools.Clang.Identity
	}
	return p
}

// checkedSalt is salt for what makes the step's result, which is held to the ELF rules.
func (b *Builder) checkedSalt(s *recipe.Step) map[string]string {
	p := b.salt()
	if rules := s.RulesOrDefault(); rules != recipe.RulesNone {
		p["elf-rules"] = string(rules) + "/" + elfcheck.Version
	}
	return p
}

// folderOf stores a small file of our making and returns a folder that holds just it.
func (b *Builder) folderOf(name string, content []byte) (cas.Digest, error) {
	d, err := b.store.PutBytes(content)
	if err != nil {
		return cas.Digest{}, err
	}
	return b.store.Compose(nil, map[string]cas.Entry{name: {Digest: d}})
}

// subdir is the digest of a folder of a tree, and an error that names what is missing.
func (b *Builder) subdir(root cas.Digest, path string) (cas.Digest, error) {
	e, ok, err := b.store.Lookup(root, path)
	if err != nil {
		return cas.Digest{}, err
	}
	if !ok || !e.Dir {
		return cas.Digest{}, fmt.Errorf("there is no folder %s", path)
	}
	return e.Digest, nil
}

// run performs an action, with the log and status of its job: on a worker where one may do it, else in an exec root.
func (b *Builder) run(ctx context.Context, job *graph.Job, s execroot.Spec, collect execroot.Collect, e elsewhere) (cas.Digest, error) {
	s.Action, s.Log, s.LogPath, s.Status, s.Waits = job.Action, job.Log, job.LogPath, job.Status, job.Waits
	if b.o.Workers != nil && !job.Here {
		return b.runElsewhere(ctx, job, s, e)
	}
	s.Colours = []string{"CARGO_TERM_COLOR=always"}
	return b.roots.Run(ctx, s, collect)
}
