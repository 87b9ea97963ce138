package prepare

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/crates"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// The standard library uses crates of the registry, libc among them, and ours have to be patched there as in
// programs. Its workspace in rust-src is not touched, and a path outside of it would be hashed absolutely
// (see cargoedit.Enclose). Cargo's source replacement does neither: a directory that has all crates stands in
// for the registry, under the ids and checksums that the library's own Cargo.lock has.

// stdCratesVersion is raised when other files come out of the same crates and series.
const stdCratesVersion = 3

// stdSeries are the patch series for crates of the standard library of programs, in order. Their names are the crates'.
var stdSeries = []string{"libc"}

// stdRoot is the package of the library's workspace that stands for all of it that anybody links.
const stdRoot = "sysroot"

// StdConfig makes cargo take the library's crates from [VendorFolder] of the exec root.
func StdConfig() []string {
	return []string{
		"--config", `source.crates-io.replace-with="redox-clif-vendor"`,
		"--config", `source.redox-clif-vendor.directory="%{root}/` + VendorFolder + `"`,
	}
}

// StdCrates is the node of the crates that the standard library's Cargo.lock names, patched: a folder for each,
// NAME-VERSION. Those that no platform needs are manifests only.
func (s *Sources) StdCrates(on Platforms) (*graph.Node, error) {
	return s.nodes.Once("std/vendor", func(n *graph.Node) error {
		all, digests, err := s.series(stdSeries)
		if err != nil {
			return err
		}
		n.Memory = 256 << 20
		n.Light = true
		n.Plan = func(context.Context, graph.Outputs) (*action.Action, error) {
			specs, err := on.folder(s.o.Store)
			if err != nil {
				return nil, err
			}
			a := action.Builtin("std-crates", stdCratesVersion, digests...)
			a.Salt = s.salt()
			a.Inputs, err = s.o.Store.Compose(map[string]cas.Digest{specFolder: specs}, nil)
			return a, err
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return s.vendorStd(ctx, job, all, on)
		}
		return nil
	})
}

func (s *Sources) vendorStd(ctx context.Context, job *graph.Job, all []*patch.Series, on Platforms) (cas.Digest, error) {
	dir, err := s.o.Roots.TempDir("vendor")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := s.o.Store.Materialise(ctx, job.Action.Inputs, dir, nil, nil); err != nil {
		return cas.Digest{}, err
	}
	w := &vendorFolder{s: s, job: job, dir: dir, folder: filepath.Join(dir, VendorFolder), manifest: toolenv.RustSrc + "/library/Cargo.toml",
		place: func(c crates.Crate) string { return path.Base(c.Folder()) }, config: StdConfig()}
	if err := w.unpackStd(ctx, on); err != nil {
		return cas.Digest{}, err
	}
	for _, one := range all {
		if err := patchVendored(ctx, job, w.folder, one); err != nil {
			return cas.Digest{}, fmt.Errorf("patches/%s for the standard library: %w", one.Name, err)
		}
	}
	return s.store(ctx, w.folder)
}

// unpackStd lays out all crates that the library's lock names, side by side: those that are needed whole.
func (w *vendorFolder) unpackStd(ctx context.Context, on Platforms) error {
	if err := w.s.o.Roots.NeedTools(ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(w.s.o.RustSrc, "library/Cargo.lock"))
	if err != nil {
		return err
	}
	if w.lock, err = crates.ReadLock(text); err != nil {
		return fmt.Errorf("the library's %w", err)
	}
	all := make([]source.Crate, 0, len(w.lock.Crates))
	for _, c := range w.lock.Crates {
		all = append(all, asSource(c))
	}
	err = w.s.o.Fetcher.Crates(ctx, all, func() error {
		w.job.Status("cargo fetch")
		return w.s.cargo(ctx, w.job.Log, w.dir, "fetch", "--locked", "--manifest-path", w.manifest)
	})
	if err != nil {
		return err
	}
	for _, c := range w.lock.Crates {
		if err := w.stub(ctx, c); err != nil {
			return fmt.Errorf("%s %s: %w", c.Name, c.Version, err)
		}
	}
	needed, err := w.needed(ctx, []string{stdRoot}, on)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.job.Log, "%d crates, %d of them needed\n", len(w.lock.Crates), len(needed))
	return w.fill(ctx, needed)
}

// patchVendored applies a series to every version of its crate.
func patchVendored(ctx context.Context, job *graph.Job, vendor string, s *patch.Series) error {
	entries, err := os.ReadDir(vendor)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		version, ok := strings.CutPrefix(e.Name(), s.Name+"-")
		if !ok || version == "" || version[0] < '0' || version[0] > '9' {
			continue
		}
		if _, err := os.Stat(filepath.Join(vendor, e.Name(), crates.StubSource)); err == nil {
			continue // nobody compiles it
		}
		found = true
		if err := patchFolder(ctx, job, filepath.Join(vendor, e.Name()), s); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	if !found {
		return fmt.Errorf("the library has no crate %s", s.Name)
	}
	return nil
}

func patchFolder(ctx context.Context, job *graph.Job, dir string, s *patch.Series) error {
	tree, err := patch.OpenDir(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	report, err := patch.Apply(ctx, s, tree, patch.Options{})
	if report != nil {
		fmt.Fprintf(job.Log, "%s: %s\n", filepath.Base(dir), report.Summary())
	}
	return err
}
