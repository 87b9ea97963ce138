package builder

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// stdPackages are the crates of the standard library by the recipe's word for them. Both have
// the memory functions: in programs they are weak and relibc's win, in freestanding code
// there are no others.
var stdPackages = map[recipe.Std][]string{
	recipe.StdFull: {"-p", "std", "-p", "panic_abort", "--features", "std/compiler-builtins-mem"},
	recipe.StdCore: {"-p", "alloc", "--features", "alloc/compiler-builtins-mem"},
}

// hasPatchedCrates tells whether some of the crates in a set of the library are patched: those of programs that have all of it.
func hasPatchedCrates(kind recipe.TargetKind, set recipe.Std) bool {
	return kind == recipe.TargetUser && set == recipe.StdFull
}

// std is the node of a prepared standard library: built once per toolchain, spec, backend and set, used
// with --sysroot by every step in place of -Zbuild-std.
//
// The library's own workspace in rust-src is built, not a dummy crate with -Zbuild-std: its
// package ids are relative and its Cargo.lock is its own, so the place of the toolchain is
// not in the result, and nothing is written into rust-src.
func (b *Builder) std(kind recipe.TargetKind, set recipe.Std, backend recipe.Backend) (*graph.Node, error) {
	triple := b.Triple(kind)
	id := fmt.Sprintf("std/%s/%s-%s", triple, set, backend)
	return b.nodes.Once(id, func(n *graph.Node) error {
		spec, err := b.spec(triple)
		if err != nil {
			return err
		}
		vendor, err := b.stdCrates()
		if err != nil {
			return err
		}
		n.Deps = []*graph.Node{vendor}
		n.Memory, n.Typical, n.Elsewhere = 2<<30, time.Minute, true
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			return b.stdAction(triple, set, spec, backend, map[string]cas.Digest{prepare.VendorFolder: in[vendor]})
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return b.run(ctx, job, execroot.Spec{}, func(ctx context.Context, root string) (*cas.Tree, error) {
				return b.collectRlibs(ctx, filepath.Join(root, "target", triple, "release"), triple)
			}, b.stdElsewhere(triple))
		}
		return nil
	})
}

// stdAction builds the library; dirs is what is laid beside the target spec.
func (b *Builder) stdAction(triple string, set recipe.Std, spec []byte, backend recipe.Backend, dirs map[string]cas.Digest) (*action.Action, error) {
	specDir, err := b.folderOf(triple+".json", spec)
	if err != nil {
		return nil, err
	}
	dirs["spec"] = specDir
	inputs, err := b.store.Compose(dirs, nil)
	if err != nil {
		return nil, err
	}
	rustcJSON, cargoJSON := b.jsonTargetFlags()
	flags := append([]string{"-Zforce-unstable-if-unmarked"}, rustcJSON...)
	flags = append(flags, backendFlags(backend)...)
	flags = append(flags, remaps()...)
	env := toolenv.ForCargo()
	env["CARGO_HOME"] = toolenv.OwnCargoHome
	env["CARGO_ENCODED_RUSTFLAGS"] = encodeFlags(flags)
	// Marks the crates as another std than the host's, as rustc's own build does.
	env["__CARGO_DEFAULT_LIB_METADATA"] = "redox-clif"
	// A compiler that is not a nightly by name may still be told to build its own library.
	env["RUSTC_BOOTSTRAP"] = "1"
	args := []string{toolenv.Cargo, "build", "--manifest-path", toolenv.RustSrc + "/library/Cargo.toml", "--frozen", "--release",
		"--target", "%{root}/spec/" + triple + ".json"}
	args = append(args, cargoJSON...)
	args = slices.Concat(args, prepare.StdConfig(), stdPackages[set])
	return &action.Action{
		Args: args, Env: env, Inputs: inputs, Salt: b.salt(),
		Outputs: []string{"target/" + triple + "/release/deps"}, // or what takes its place, see cratesIn; another text would be another key
	}, nil
}

// collectRlibs lays the crates out as rustc looks for them in a sysroot.
func (b *Builder) collectRlibs(ctx context.Context, release, triple string) (*cas.Tree, error) {
	found, err := cratesIn(release, "*.rlib")
	if err != nil {
		return nil, err
	}
	// Cargos with the newer folders leave only a stub of the metadata in the rlib (-Zembed-metadata=no): the rest is the file beside it.
	beside, err := globdir.In(release, newerCrates+"*.rmeta")
	if err != nil {
		return nil, err
	}
	found = append(found, beside...)
	tree := cas.NewTree()
	for _, file := range found {
		d, err := b.store.PutFile(ctx, file)
		if err != nil {
			return nil, err
		}
		tree.Entries[path.Join("lib/rustlib", triple, "lib", filepath.Base(file))] = cas.Entry{Digest: d}
	}
	return tree, checkCore(tree, release)
}

// checkCore makes sure that a library has its first crate.
func checkCore(tree *cas.Tree, where string) error {
	if !hasCrate(tree, "libcore-") {
		return fmt.Errorf("the build of the standard library left no libcore in %s", where)
	}
	return nil
}

// newerCrates are the folders of cargos that have one for each crate.
const newerCrates = "build/*/*/out/"

// cratesIn are the files of compiled crates whose names match a pattern, in the folder of a profile in cargo's target folder. Cargos up to
// 1.97 have them all in deps/; later ones (1.101, -Zbuild-dir-new-layout by default) have build/PACKAGE/HASH/out/ for each.
func cratesIn(release, pattern string) ([]string, error) {
	var all []string
	for _, folder := range []string{"deps/", newerCrates} {
		found, err := globdir.In(release, folder+pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func hasCrate(t *cas.Tree, prefix string) bool {
	for p := range t.Entries {
		if strings.HasPrefix(path.Base(p), prefix) {
			return true
		}
	}
	return false
}
