// Package prepare makes the sources of recipes ready to compile.
//
// It owns every node before a compiler starts, and which files of a workspace a step sees:
//
//	NAME/source       the source as upstream has it (or as an override says), with its submodules
//	NAME/recipe       the folder of recipe.toml, for the files beside it
//	NAME/patch        the source with the patch series applied
//	NAME/members      which members of its Cargo workspace stay, where the recipe does not say
//	NAME/manifests    the skeleton of its Cargo workspace, with the manifests fitted to the build
//	NAME/workspace    the source with its Cargo workspace fitted: members pruned, git dependencies replaced
//	STEP/sources      what one of several steps sees of a workspace
//	NAME/vendor       the crates of a workspace, as files
//	std/vendor        those of the standard library, patched
//	rust-src/patched  the standard library's sources with the patched crates in them
//
// It must not know the kinds of step, the compilers' flags, nor anything of ELF or images: package builder does, and
// takes its nodes from here.
package prepare

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// Fetcher gets sources; source.Fetcher is one.
type Fetcher interface {
	Fetch(ctx context.Context, r *source.Resolved) error
	Export(ctx context.Context, r *source.Resolved, dir string) (*source.Findings, error)
	// Gitlinks are the commits of the submodules of a source that was fetched, by their paths.
	Gitlinks(ctx context.Context, g source.Git) (map[string]string, error)
	// Crates brings crates here; download is called for those that have to be fetched. ExportCrate writes one out.
	Crates(ctx context.Context, all []source.Crate, download func() error) error
	ExportCrate(ctx context.Context, c source.Crate, wants func(name string) bool, dest string) error
	// KeptLock is a Cargo.lock that KeepLock kept under a key, nil without one.
	KeptLock(key string) ([]byte, error)
	KeepLock(key string, text []byte) error
}

// Options are the settings of Sources.
type Options struct {
	// Recipes are as the release set has them.
	Recipes recipe.Set
	Store   *cas.Store
	// Roots runs cargo and has the folders for what is edited.
	Roots *execroot.Runner
	// Patches holds the patch series.
	Patches   fs.FS
	Fetcher   Fetcher
	Overrides *source.Overrides
	// Stats spares hashing source folders again.
	Stats *cas.StatCache
	// Toolchain is its digest; RustSrc is the folder that has library/.
	Toolchain, RustSrc string
	// CargoHome is cargo's home, owned by the build.
	CargoHome string
	// Offline forbids the network; NetworkEnv is the proxy settings for when it is allowed, Transports how git fetches.
	Offline                bool
	NetworkEnv, Transports []string
	// Notice, if set, receives lines about overrides, each once.
	Notice func(string)
}

// Sources makes the nodes; asked twice for one it gives the same node.
type Sources struct {
	o          Options
	nodes      graph.Nodes
	workspaces map[string]*Workspace
	noticed    sync.Map
	// overrides tell of the URL of each overridden git dependency whether a workspace asks for it; urls are what trees ask for.
	overrides, urls sync.Map
	// captured are the folders that were read.
	captured sync.Map
}

// New returns the Sources of all recipes.
func New(o Options) *Sources {
	return &Sources{o: o, nodes: graph.Nodes{}, workspaces: map[string]*Workspace{}}
}

func (s *Sources) recipe(name string) (*recipe.Recipe, error) { return s.o.Recipes.Get(name) }

// Origin is the recipe whose source a recipe builds: itself, unless it takes that of another.
func (s *Sources) Origin(r *recipe.Recipe) (*recipe.Recipe, error) {
	for r.Source.SameAs != "" {
		var err error
		if r, err = s.recipe(r.Source.SameAs); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// notice says a line, once. Nodes that run side by side may call it.
func (s *Sources) notice(line string) {
	if _, again := s.noticed.LoadOrStore(line, true); !again && s.o.Notice != nil {
		s.o.Notice(line)
	}
}

// salt is what every action that runs cargo has in its digest.
func (s *Sources) salt() map[string]string {
	return map[string]string{"toolchain": s.o.Toolchain}
}

// cargo runs cargo in a folder, for what runs no program of a source: it may have the user's credentials.
func (s *Sources) cargo(ctx context.Context, log io.Writer, dir string, args ...string) error {
	return s.fetcher(ctx, log, dir, toolenv.ForCargo(), append([]string{toolenv.Cargo}, args...)...)
}

// fetcher runs a program that fetches.
func (s *Sources) fetcher(ctx context.Context, log io.Writer, dir string, env map[string]string, args ...string) error {
	own, users := s.networkEnv()
	return s.o.Roots.Fetch(ctx, dir, env, slices.Concat(own, users), log, args...)
}

// edited gives f a fresh copy of a tree to change and takes the result.
func (s *Sources) edited(ctx context.Context, tree cas.Digest, f func(dir string) error) (cas.Digest, error) {
	dir, err := s.o.Roots.TempDir("edit")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := s.o.Store.Materialise(ctx, tree, dir, nil, nil); err != nil {
		return cas.Digest{}, err
	}
	if err := f(dir); err != nil {
		return cas.Digest{}, inSource(dir, err)
	}
	return s.store(ctx, dir)
}

// inSource gives a file that an error is about the name that it has in its source: the copy it was read from is gone.
func inSource(dir string, err error) error {
	var at *cargoedit.FileError
	if errors.As(err, &at) {
		if name, ok := strings.CutPrefix(at.File, filepath.Join(dir, "src")+string(filepath.Separator)); ok {
			at.File = "the source's " + filepath.ToSlash(name)
		}
	}
	return err
}

// store takes a folder that this program has just made.
func (s *Sources) store(ctx context.Context, dir string) (cas.Digest, error) {
	tree, err := s.o.Store.Capture(ctx, dir, cas.CaptureOptions{Store: true, Volatile: true})
	if err != nil {
		return cas.Digest{}, err
	}
	return s.o.Store.PutTree(tree)
}

// OfflineEnv is what a cargo that compiles gets beside its environment: what it needs was fetched before.
func OfflineEnv() []string { return []string{"CARGO_NET_OFFLINE=true"} }

// networkEnv is what a cargo that fetches gets beside its environment. It may not change what is built: whether cargo may
// download, from where, and how. users are the user's settings, which may be secrets.
// Cargo's own git knows nothing of how git fetches, nor of insteadOf, by which the user's mirrors
// hold for git dependencies (the commits stay those of Cargo.lock): where either is given, cargo calls the git program.
func (s *Sources) networkEnv() (own, users []string) {
	if s.o.Offline {
		return OfflineEnv(), nil
	}
	mirrors := s.o.Overrides.Mirrors()
	// Crates that nobody has unpacked for months are still known as fetched: see Fetched.
	own = []string{"CARGO_NET_RETRY=3", "CARGO_CACHE_AUTO_CLEAN_FREQUENCY=never"}
	if len(mirrors)+len(s.o.Transports) > 0 {
		own = append(own, "CARGO_NET_GIT_FETCH_WITH_CLI=true")
	}
	// Cargo has its git find the bare repositories that it made itself.
	settings := []git.Setting{{Key: "safe.bareRepository", Value: "all"}}
	for _, from := range slices.Sorted(maps.Keys(mirrors)) {
		settings = append(settings, git.Setting{Key: "url." + mirrors[from] + ".insteadOf", Value: from})
	}
	return own, git.WithSettings(slices.Concat(s.o.NetworkEnv, s.o.Transports), settings...)
}

// Roots are the exec roots in which sources are made ready, and steps run.
func (s *Sources) Roots() *execroot.Runner { return s.o.Roots }
