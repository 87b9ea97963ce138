package prepare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cargoconfig"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/crates"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// Cargo's own store of crates is not looked at by a compiler: it checks a crate when it downloads it and believes the unpacked
// files from then on, whoever changed them, and a worker elsewhere has none. So the crates of a workspace are a tree like any
// other input, unpacked from files that are verified each time.

// vendorVersion is raised when another folder comes out of the same lock.
const vendorVersion = 1

// VendorFolder is where an exec root has what Vendor makes.
const VendorFolder = "vendor"

// Platforms are what a workspace is compiled for, so far as it decides which crates are needed.
type Platforms struct {
	// Specs are the target specs, as JSON, by the names of the targets. The host always counts: build scripts run there.
	Specs map[string][]byte
	// Rustc and Cargo are the flags with which they read such a spec.
	Rustc, Cargo []string
}

// Vendor is the node of the crates of a recipe's workspace, in the form of package crates: those that its packages need for the
// platforms, and the manifests of the others that the lock names.
func (s *Sources) Vendor(r *recipe.Recipe, packages []string, on Platforms) (*graph.Node, error) {
	ws, err := s.Workspace(r.Name)
	if err != nil {
		return nil, err
	}
	manifests, err := s.skeleton(ws.Node)
	if err != nil {
		return nil, err
	}
	return s.nodes.Once(r.Name+"/vendor", func(n *graph.Node) error {
		v := &vendoring{s: s, r: r, packages: packages, on: on}
		n.Deps = []*graph.Node{manifests}
		n.Light = true
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) { return v.action(in[manifests]) }
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			out, err := v.run(ctx, job)
			if src, ok, _ := s.o.Store.Lookup(job.Action.Inputs, "manifests/src"); ok {
				err = s.Explain(ctx, r, src.Digest, r.Cargo.Dir, err)
			}
			return out, err
		}
		return nil
	})
}

// vendoring makes the crates of one workspace a folder.
type vendoring struct {
	s        *Sources
	r        *recipe.Recipe
	packages []string // of the workspace, by whose needs it is pruned
	on       Platforms
}

func (v *vendoring) action(manifests cas.Digest) (*action.Action, error) {
	store := v.s.o.Store
	spec, err := v.on.folder(store)
	if err != nil {
		return nil, err
	}
	a := action.Builtin("vendor", vendorVersion, slices.Concat([]string{"dir=" + v.r.Cargo.Dir}, v.packages)...)
	a.Salt = v.s.salt()
	a.Inputs, err = store.Compose(map[string]cas.Digest{"manifests": manifests, specFolder: spec}, nil)
	return a, err
}

// specFolder is where cargo finds the specs of Platforms when it is asked what is needed.
const specFolder = "spec"

// folder has the specs as files.
func (on Platforms) folder(store *cas.Store) (cas.Digest, error) {
	specs := map[string]cas.Entry{}
	for name, text := range on.Specs {
		d, err := store.PutBytes(text)
		if err != nil {
			return cas.Digest{}, err
		}
		specs[name+".json"] = cas.Entry{Digest: d}
	}
	return store.Compose(nil, specs)
}

func (v *vendoring) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	dir, err := v.s.o.Roots.TempDir("vendor")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := v.s.o.Store.Materialise(ctx, job.Action.Inputs, dir, nil, nil); err != nil {
		return cas.Digest{}, err
	}
	w := &vendorFolder{s: v.s, job: job, dir: dir, folder: filepath.Join(dir, VendorFolder), place: crates.Crate.Folder,
		manifest: filepath.Join(dir, "manifests/src", filepath.FromSlash(v.r.Cargo.Dir), "Cargo.toml")}
	w.config = []string{"--config", filepath.Join(w.folder, crates.ConfigName)}
	if err := w.readLock(); err != nil {
		return cas.Digest{}, err
	}
	if err := w.get(ctx); err != nil {
		return cas.Digest{}, err
	}
	needed, err := w.needed(ctx, v.packages, v.on)
	if err != nil {
		return cas.Digest{}, err
	}
	if err := w.fill(ctx, needed); err != nil {
		return cas.Digest{}, err
	}
	fmt.Fprintf(job.Log, "%d crates, %d of them needed, and %d repositories\n", len(w.lock.Crates), len(needed), len(w.lock.Repositories))
	return v.s.store(ctx, w.folder)
}

// vendorFolder is the folder while it is made.
type vendorFolder struct {
	s        *Sources
	job      *graph.Job
	dir      string // where cargo is started
	folder   string // in dir
	manifest string // of the workspace
	lock     *crates.Lock
	place    func(crates.Crate) string // of a crate in folder
	config   []string                  // by which cargo takes crates from there
}

func (w *vendorFolder) readLock() error {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(w.manifest), "Cargo.lock"))
	if errors.Is(err, fs.ErrNotExist) {
		w.lock = &crates.Lock{} // a package without dependencies may have none; else cargo says it
		return os.MkdirAll(w.folder, 0o755)
	}
	if err != nil {
		return err
	}
	if w.lock, err = crates.ReadLock(text); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(w.folder, "registry"), 0o755)
}

// get brings everything that the lock names to this machine, and lays out what is needed to resolve it: repositories first, so that
// cargo, which gets the crates, does not ask for these as well.
func (w *vendorFolder) get(ctx context.Context) error {
	for _, r := range w.lock.Repositories {
		if err := w.repository(ctx, r); err != nil {
			return err
		}
	}
	if err := w.getCrates(ctx); err != nil {
		return err
	}
	for _, c := range w.lock.Crates {
		if err := w.stub(ctx, c); err != nil {
			return fmt.Errorf("%s %s: %w", c.Name, c.Version, err)
		}
	}
	registries, err := cargoconfig.Registries(w.s.o.CargoHome)
	if err != nil {
		return err
	}
	return w.write(crates.ConfigName, w.lock.Config(VendorFolder, registries))
}

func (w *vendorFolder) write(name, text string) error {
	file := filepath.Join(w.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func (w *vendorFolder) getCrates(ctx context.Context) error {
	all := make([]source.Crate, 0, len(w.lock.Crates))
	for _, c := range w.lock.Crates {
		all = append(all, asSource(c))
	}
	return w.s.o.Fetcher.Crates(ctx, all, func() error {
		w.job.Status("cargo fetch")
		if err := w.write("fetch.toml", w.lock.FetchConfig(VendorFolder)); err != nil {
			return err
		}
		defer os.Remove(filepath.Join(w.folder, "fetch.toml"))
		return w.s.cargo(ctx, w.job.Log, w.dir, "fetch", "--locked", "--manifest-path", w.manifest, "--config", filepath.Join(w.folder, "fetch.toml"))
	})
}

func asSource(c crates.Crate) source.Crate {
	return source.Crate{Name: c.Name, Version: c.Version, SHA256: c.SHA256}
}

// stub lays out a crate as one that is not compiled.
func (w *vendorFolder) stub(ctx context.Context, c crates.Crate) error {
	at := filepath.Join(w.folder, filepath.FromSlash(w.place(c)))
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := w.s.o.Fetcher.ExportCrate(ctx, asSource(c), func(name string) bool { return name == "Cargo.toml" }, at); err != nil {
		return err
	}
	manifest := filepath.Join(at, "Cargo.toml")
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	if text, err = crates.Stub(text); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(manifest, text, 0o644),
		os.WriteFile(filepath.Join(at, crates.StubSource), []byte(crates.StubText), 0o644),
		os.WriteFile(filepath.Join(at, crates.ChecksumName), []byte(crates.RegistryChecksum(c.SHA256)), 0o644))
}

// needed asks cargo which crates are compiled.
func (w *vendorFolder) needed(ctx context.Context, packages []string, on Platforms) (map[crates.Crate]bool, error) {
	if len(w.lock.Crates) == 0 {
		return nil, nil
	}
	w.job.Status("cargo metadata")
	host, err := w.s.host(ctx, w.dir)
	if err != nil {
		return nil, err
	}
	// The features that a step turns off do no harm.
	args := []string{toolenv.Cargo, "metadata", "--format-version=1", "--frozen", "--all-features", "--manifest-path", w.manifest, "--filter-platform", host}
	args = append(args, w.config...)
	for _, name := range slices.Sorted(maps.Keys(on.Specs)) {
		args = append(args, "--filter-platform", filepath.Join(w.dir, specFolder, name+".json"))
	}
	if len(on.Specs) > 0 {
		args = append(args, on.Cargo...)
	}
	env := toolenv.ForCargo()
	env["CARGO_HOME"] = toolenv.OwnCargoHome
	env["CARGO_ENCODED_RUSTFLAGS"] = strings.Join(on.Rustc, "\x1f")
	var out bytes.Buffer
	if err := w.s.o.Roots.Tool(ctx, w.dir, env, &out, args...); err != nil {
		_, _ = w.job.Log.Write(out.Bytes())
		return nil, err
	}
	return w.lock.Needed(out.Bytes(), packages)
}

// fill puts the files of the needed crates into their places.
func (w *vendorFolder) fill(ctx context.Context, needed map[crates.Crate]bool) error {
	w.job.Status("unpacking crates")
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for c := range needed {
		group.Go(func() error {
			at := filepath.Join(w.folder, filepath.FromSlash(w.place(c)))
			if err := unpackCrate(ctx, w.s.o.Fetcher, c, at); err != nil {
				return fmt.Errorf("%s %s: %w", c.Name, c.Version, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// unpackCrate lays a crate out in a folder, in place of what is there.
func unpackCrate(ctx context.Context, from Fetcher, c crates.Crate, at string) error {
	if err := os.RemoveAll(at); err != nil {
		return err
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := from.ExportCrate(ctx, asSource(c), nil, at); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(at, crates.ChecksumName), []byte(crates.RegistryChecksum(c.SHA256)), 0o644)
}

// repository lays a repository out and finds the packages in it.
func (w *vendorFolder) repository(ctx context.Context, r crates.Repository) error {
	at := filepath.Join(w.folder, filepath.FromSlash(r.Folder()))
	tree := filepath.Join(at, "tree")
	if err := w.export(ctx, source.Git{URL: r.URL, Commit: r.Commit}, tree); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(at, "crates"), 0o755); err != nil {
		return err
	}
	found, err := crates.Find(tree)
	if err != nil {
		return err
	}
	for _, p := range r.Packages {
		dir, ok := found[p.Name]
		if !ok {
			return fmt.Errorf("%s at %s has no package %s", r.URL, r.Commit, p.Name)
		}
		if err := crates.Complete(tree, dir); err != nil {
			return fmt.Errorf("%s: %s: %w", r.URL, dir, err)
		}
		if err := os.Symlink(path.Join("../tree", dir), filepath.Join(at, "crates", p.Name+"-"+p.Version)); err != nil {
			return err
		}
	}
	return nil
}

// export writes a repository out with its submodules, as cargo does for its own.
func (w *vendorFolder) export(ctx context.Context, g source.Git, dest string) error {
	if err := g.Validate(); err != nil {
		return err
	}
	resolved, err := w.s.o.Overrides.Resolve("", g)
	if err != nil {
		return err
	}
	w.job.Status("getting " + g.String())
	if err := w.s.o.Fetcher.Fetch(ctx, resolved); err != nil {
		return err
	}
	if _, err := w.s.o.Fetcher.Export(ctx, resolved, dest); err != nil {
		return err
	}
	below, err := w.s.submodules(ctx, g, dest)
	if err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(below)) {
		if err := w.export(ctx, below[at], filepath.Join(dest, filepath.FromSlash(at))); err != nil {
			return fmt.Errorf("submodule %s: %w", at, err)
		}
	}
	return nil
}

// submodules are those of a repository that was written out, by their paths.
func (s *Sources) submodules(ctx context.Context, g source.Git, tree string) (map[string]source.Git, error) {
	text, err := os.ReadFile(filepath.Join(tree, ".gitmodules"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	commits, err := s.o.Fetcher.Gitlinks(ctx, g)
	if err != nil {
		return nil, err
	}
	below := map[string]source.Git{}
	for at, url := range git.Submodules(text, g.URL) {
		if commit := commits[at]; commit != "" && fs.ValidPath(at) {
			below[at] = source.Git{URL: url, Commit: commit}
		}
	}
	return below, nil
}

// host is the triple of the machine that build scripts run on.
func (s *Sources) host(ctx context.Context, dir string) (string, error) {
	var out bytes.Buffer
	if err := s.o.Roots.Tool(ctx, dir, toolenv.ForTools(), &out, toolenv.Rustc, "-vV"); err != nil {
		return "", err
	}
	for line := range strings.Lines(out.String()) {
		if triple, ok := strings.CutPrefix(strings.TrimSpace(line), "host: "); ok {
			return triple, nil
		}
	}
	return "", errors.New("rustc -vV names no host")
}
