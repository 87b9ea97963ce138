package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// The standard library uses crates of the registry, libc among them, and ours have to be patched there as in
// programs. Its workspace in rust-src is not touched, and a path outside of it would be hashed absolutely
// (see cargoedit.Enclose). Cargo's source replacement does neither: a directory that has all crates stands in
// for the registry, under the ids and checksums that the library's own Cargo.lock has.

// stdCratesVersion is raised when other files come out of the same crates and series.
const stdCratesVersion = 1

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
			a.Platform = s.platform()
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
	vendor := filepath.Join(dir, "vendor")
	job.Status("cargo vendor")
	err = s.cargo(ctx, job.Log, dir, "vendor", "--locked", "--versioned-dirs", "--manifest-path", toolenv.RustSrc+"/library/Cargo.toml", vendor)
	if err != nil {
		return cas.Digest{}, err
	}
	for _, one := range all {
		if err := patchVendored(ctx, job, vendor, one); err != nil {
			return cas.Digest{}, fmt.Errorf("patches/%s for the standard library: %w", one.Name, err)
		}
	}
	return s.store(ctx, vendor)
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
	if err != nil {
		return err
	}
	return dropFileSums(filepath.Join(dir, ".cargo-checksum.json"))
}

// dropFileSums leaves the checksum of the whole crate, which Cargo.lock asks for, and takes out those of its files,
// which cargo checks only where they are given. What was downloaded has been verified by then.
func dropFileSums(name string) error {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cargo vendor left no %s", filepath.Base(name))
	}
	if err != nil {
		return err
	}
	var sums struct {
		Files   map[string]string `json:"files"`
		Package string            `json:"package"`
	}
	if err := json.Unmarshal(text, &sums); err != nil {
		return err
	}
	sums.Files = map[string]string{}
	if text, err = json.Marshal(sums); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}
