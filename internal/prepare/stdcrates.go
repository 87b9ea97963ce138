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
const stdCratesVersion = 2

// stdSeries are the patch series for crates of the standard library of programs, in order. Their names are the crates'.
var stdSeries = []string{"libc"}

// StdCrates is the node of the crates that the standard library's Cargo.lock names, patched: a folder for each,
// NAME-VERSION.
func (s *Sources) StdCrates() (*graph.Node, error) {
	return s.nodes.Once("std/vendor", func(n *graph.Node) error {
		all, digests, err := s.series(stdSeries)
		if err != nil {
			return err
		}
		n.Memory = 256 << 20
		n.Light = true
		n.Plan = func(context.Context, graph.Outputs) (*action.Action, error) {
			a := action.Builtin("std-crates", stdCratesVersion, digests...)
			a.Salt = s.salt()
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return s.vendorStd(ctx, job, all)
		}
		return nil
	})
}

func (s *Sources) vendorStd(ctx context.Context, job *graph.Job, all []*patch.Series) (cas.Digest, error) {
	dir, err := s.o.Roots.TempDir("vendor")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	vendor := filepath.Join(dir, VendorFolder)
	if err := s.unpackStd(ctx, job, dir, vendor); err != nil {
		return cas.Digest{}, err
	}
	for _, one := range all {
		if err := patchVendored(ctx, job, vendor, one); err != nil {
			return cas.Digest{}, fmt.Errorf("patches/%s for the standard library: %w", one.Name, err)
		}
	}
	return s.store(ctx, vendor)
}

// unpackStd lays out all crates that the library's lock names, side by side. dir is where cargo is started.
func (s *Sources) unpackStd(ctx context.Context, job *graph.Job, dir, vendor string) error {
	if err := s.o.Roots.NeedTools(ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(s.o.RustSrc, "library/Cargo.lock"))
	if err != nil {
		return err
	}
	lock, err := crates.ReadLock(text)
	if err != nil {
		return fmt.Errorf("the library's %w", err)
	}
	all := make([]source.Crate, 0, len(lock.Crates))
	for _, c := range lock.Crates {
		all = append(all, asSource(c))
	}
	err = s.o.Fetcher.Crates(ctx, all, func() error {
		job.Status("cargo fetch")
		return s.cargo(ctx, job.Log, dir, "fetch", "--locked", "--manifest-path", toolenv.RustSrc+"/library/Cargo.toml")
	})
	if err != nil {
		return err
	}
	for _, c := range lock.Crates {
		if err := unpackCrate(ctx, s.o.Fetcher, c, filepath.Join(vendor, path.Base(c.Folder()))); err != nil {
			return fmt.Errorf("%s %s: %w", c.Name, c.Version, err)
		}
	}
	return nil
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
