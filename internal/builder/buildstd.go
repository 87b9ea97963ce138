package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// StdMode says where the standard library of cargo steps comes from.
type StdMode string

const (
	// StdAsRecipe leaves it to each step.
	StdAsRecipe StdMode = ""
	// StdShared is the library that is prepared once for all steps.
	StdShared StdMode = "shared"
	// StdBuild has every cargo build it in its own target folder, by -Zbuild-std.
	StdBuild StdMode = "build-std"
)

// ParseStdMode reads the user's word.
func ParseStdMode(text string) (StdMode, error) {
	switch m := StdMode(text); m {
	case StdAsRecipe, StdShared, StdBuild:
		return m, nil
	}
	return "", fmt.Errorf("std is %q, not %s or %s", text, StdShared, StdBuild)
}

// buildsStd tells whether a cargo step builds the standard library itself. It is the way out for a program that
// the prepared one does not fit (other flags, a std with features); it costs the build of std for every step, and cargo
// hashes the build scripts of a library with patched crates by their path, so that the bytes depend on where the cache is.
func (b *Builder) buildsStd(s *recipe.Step) bool {
	if s.Kind != "cargo" || s.Target == "host" || s.StdOrDefault() == "none" {
		return false
	}
	return b.Std == StdBuild || b.Std == StdAsRecipe && s.BuildStd
}

// buildStdFlags are what cargo is told to build, by the recipe's word for it; see stdPackages.
var buildStdFlags = map[string][]string{
	"std":  {"-Zbuild-std=core,alloc,std,panic_abort", "-Zbuild-std-features=compiler-builtins-mem"},
	"core": {"-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"},
}

// Cargo takes the sources of -Zbuild-std from the toolchain, whose libc is the registry's, without our patches. So a step
// gets sources of its own, with the patched crates in them, and cargo is told by the variable that its own tests use.
// Cargos from 1.94 to 1.97 know it; checkOwnStd notices one that does not. They lie in what is the sysroot to rustc, as
// they do in a toolchain: cargo hashes the library's crates by their path from there on, all but those with build scripts.
// What has no crate of ours in it (core) is built from the toolchain's.

const (
	stdSourceVersion = 2
	// inSysroot is where a sysroot has the sources, ownStd where an exec root has them.
	inSysroot = "lib/rustlib/src/rust"
	ownStd    = "%{root}/std/" + inSysroot
	// ownStdCrates is the folder of the library's sources with the patched crates.
	ownStdCrates = "_patched"
	// ownStdVariable names library/ to cargo.
	ownStdVariable = "__CARGO_TESTS_ONLY_SRC_ROOT"
)

// hasOwnStd tells whether the step builds the library from sources of its own.
func (c *cargoRun) hasOwnStd() bool { return c.std != nil && c.buildsStd(c.s) }

// shared are the inputs that the step has in common with others. Sources are not: cargo runs rustc in their
// folder, whose path by a link is another that no prefix to be replaced would fit.
func (c *cargoRun) shared() []string {
	if c.hasOwnStd() {
		return []string{"sysroot"}
	}
	return readOnly
}

// stdSource is the node of the library's sources with the patched crates; nil when the set has none of them.
func (b *Builder) stdSource(kind, set string) (*graph.Node, error) {
	crates, err := b.stdCratesFor(kind, set)
	if crates == nil || err != nil {
		return nil, err
	}
	return b.once("rust-src/patched", func(n *graph.Node) error {
		n.Memory = 128 << 20
		n.Deps = []*graph.Node{crates}
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := builtin("std-source", stdSourceVersion)
			a.Inputs, a.Platform = in[crates], b.platform()
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			tree, err := b.Store.Capture(ctx, filepath.Join(b.Tools.RustSrc, "library"), cas.CaptureOptions{Store: true, Volatile: true})
			if err != nil {
				return cas.Digest{}, err
			}
			if err := b.putStdCrates(tree, job.Inputs[crates]); err != nil {
				return cas.Digest{}, err
			}
			sysroot := cas.NewTree()
			sysroot.Graft(inSysroot+"/library", tree)
			return b.Store.PutTree(sysroot)
		}
		return nil
	})
}

// putStdCrates puts the patched crates into the library's sources, in the place of the registry's.
func (b *Builder) putStdCrates(library *cas.Tree, vendored cas.Digest) error {
	from, err := b.Store.LoadTree(vendored)
	if err != nil {
		return err
	}
	manifest, err := b.Store.ReadAll(library.Entries["Cargo.toml"].Digest)
	if err != nil {
		return fmt.Errorf("the library's Cargo.toml: %w", err)
	}
	lock, err := b.Store.ReadAll(library.Entries["Cargo.lock"].Digest)
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
		at := path.Join(ownStdCrates, name)
		library.Graft(at, crate)
		lock, manifest = changed, patchedByPath(manifest, name, at)
	}
	for name, text := range map[string][]byte{"Cargo.toml": manifest, "Cargo.lock": lock} {
		d, err := b.Store.PutBytes(text)
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

// checkOwnStd makes sure that the library that cargo built is the step's own: what a crate was compiled from
// is in the file that rustc leaves beside it.
func checkOwnStd(deps string) error {
	found, err := os.ReadDir(deps)
	if err != nil {
		return err
	}
	for _, file := range found {
		if !strings.HasPrefix(file.Name(), "core-") || path.Ext(file.Name()) != ".d" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(deps, file.Name()))
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte("/std/"+inSysroot+"/library/core/src/")) {
			return nil
		}
	}
	return errors.New("this cargo built the standard library of the toolchain, which lacks our patches: it does not know " + ownStdVariable)
}
