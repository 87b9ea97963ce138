package prepare

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

const (
	// InSysroot is where a sysroot has the sources of the standard library.
	InSysroot = "lib/rustlib/src/rust"
	// patchedCrates is the folder of these sources that has the patched crates.
	patchedCrates = "_patched"
	// stdSourceVersion is raised when other sources come out of the same library and crates.
	stdSourceVersion = 2
)

// StdSource is the node of the standard library's sources with the patched crates in the place of the registry's, as
// a sysroot has them: below [InSysroot].
func (s *Sources) StdSource(on Platforms) (*graph.Node, error) {
	crates, err := s.StdCrates(on)
	if err != nil {
		return nil, err
	}
	return s.nodes.Once("rust-src/patched", func(n *graph.Node) error {
		n.Memory = 128 << 20
		n.Light = true
		n.Deps = []*graph.Node{crates}
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := action.Builtin("std-source", stdSourceVersion)
			a.Inputs, a.Salt = in[crates], s.salt()
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			if err := s.o.Roots.NeedTools(ctx); err != nil {
				return cas.Digest{}, err
			}
			tree, err := s.o.Store.Capture(ctx, filepath.Join(s.o.RustSrc, "library"), cas.CaptureOptions{Store: true, Volatile: true})
			if err != nil {
				return cas.Digest{}, err
			}
			if err := s.putStdCrates(tree, job.Inputs[crates]); err != nil {
				return cas.Digest{}, err
			}
			sysroot := cas.NewTree()
			sysroot.Graft(InSysroot+"/library", tree)
			return s.o.Store.PutTree(sysroot)
		}
		return nil
	})
}

// putStdCrates puts the patched crates into the library's sources, in the place of the registry's.
func (s *Sources) putStdCrates(library *cas.Tree, vendored cas.Digest) error {
	from, err := s.o.Store.LoadTree(vendored)
	if err != nil {
		return err
	}
	manifest, err := s.o.Store.ReadAll(library.Entries["Cargo.toml"].Digest)
	if err != nil {
		return fmt.Errorf("the library's Cargo.toml: %w", err)
	}
	lock, err := s.o.Store.ReadAll(library.Entries["Cargo.lock"].Digest)
	if err != nil {
		return fmt.Errorf("the library's Cargo.lock: %w", err)
	}
	for _, name := range stdSeries {
		version, changed, err := lockedByPath(lock, name)
		if err != nil {
			return err
		}
		crate := from.Sub(name + "-" + version)
		if len(crate.Entries) == 0 {
			return fmt.Errorf("the library wants %s %s, which is not among its crates", name, version)
		}
		delete(crate.Entries, ".cargo-checksum.json")
		at := path.Join(patchedCrates, name)
		library.Graft(at, crate)
		lock, manifest = changed, patchedByPath(manifest, name, at)
	}
	for name, text := range map[string][]byte{"Cargo.toml": manifest, "Cargo.lock": lock} {
		d, err := s.o.Store.PutBytes(text)
		if err != nil {
			return err
		}
		library.Entries[name] = cas.Entry{Digest: d}
	}
	return nil
}

// lockedByPath makes a Cargo.lock say of a package that it comes from a folder: without source and checksum.
func lockedByPath(lock []byte, name string) (version string, changed []byte, err error) {
	var out []string
	inside := false
	for line := range strings.Lines(string(lock)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		value = strings.Trim(value, `"`)
		switch {
		case key == "[[package]]":
			inside = false
		case key == "name" && value == name:
			if version != "" {
				return "", nil, fmt.Errorf("the library's Cargo.lock has two versions of %s", name)
			}
			inside = true
		case key == "version" && inside:
			version = value
		case inside && (key == "source" || key == "checksum"):
			continue
		}
		out = append(out, line)
	}
	if version == "" {
		return "", nil, fmt.Errorf("the library's Cargo.lock has no %s", name)
	}
	return version, []byte(strings.Join(out, "")), nil
}

// patchedByPath adds a crate to the [patch.crates-io] of a manifest.
func patchedByPath(manifest []byte, name, dir string) []byte {
	const table = "[patch.crates-io]\n"
	entry := fmt.Sprintf("%s = { path = %q }\n", name, dir)
	if bytes.Contains(manifest, []byte("\n"+table)) {
		return bytes.Replace(manifest, []byte("\n"+table), []byte("\n"+table+entry), 1)
	}
	return append(bytes.TrimRight(manifest, "\n"), []byte("\n\n"+table+entry)...)
}
