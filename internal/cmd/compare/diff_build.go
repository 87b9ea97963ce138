package compare

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/smoke"
)

// build tries every defect by itself, and builds all that the toolchain can.
func (t *diffTests) build(ctx context.Context) (*session.Built, error) {
	// The reference and everything else first: what fails here is no defect of Cranelift's.
	others := t.withDefects(nil)
	built, err := t.buildStages(ctx, others)
	if err != nil || built == nil {
		return nil, err
	}
	var compiled []string
	for _, d := range t.expected.Defects {
		said, err := t.try(ctx, d)
		if err != nil {
			return nil, err
		}
		if said == "" {
			compiled = append(compiled, d.Name)
			continue
		}
		if t.applied[d.Patch] {
			return nil, fmt.Errorf("%s is refused (%q) though the toolchain was built with %s/%s", d.Name, said, seriesOfBackend, d.Patch)
		}
		t.refused[d.Name] = said
	}
	if len(compiled) == 0 {
		return built, nil
	}
	return t.buildStages(ctx, t.withDefects(compiled))
}

// withDefects are the recipes with only some of the defects' programs by Cranelift.
func (t *diffTests) withDefects(names []string) recipe.Set {
	set := maps.Clone(t.s.Recipes)
	r := *set[defectsRecipe]
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		if r.Steps[i].Name == tested {
			r.Steps[i].Bins = names
		}
	}
	r.Files = slices.DeleteFunc(slices.Clone(r.Files), func(f recipe.File) bool {
		from, name, _ := strings.Cut(f.From, "/")
		return from == tested && !slices.Contains(names, name)
	})
	set[defectsRecipe] = &r
	return set
}

func (t *diffTests) buildStages(ctx context.Context, recipes recipe.Set) (*session.Built, error) {
	return t.with(recipes).Build(ctx, session.BuildOptions{}, func(b *builder.Builder) ([]*graph.Node, error) {
		tests, err := b.Stage(diffRecipe)
		if err != nil {
			return nil, err
		}
		defects, err := b.Stage(defectsRecipe)
		if err != nil {
			return nil, err
		}
		// The demo's image lends its bootstrap.
		demo, err := b.Initfs("demo")
		if err != nil {
			return nil, err
		}
		kernel, _, err := b.Kernel("demo")
		return []*graph.Node{tests, defects, demo, kernel}, err
	})
}

// with is the session with other recipes.
func (t *diffTests) with(recipes recipe.Set) *session.Session {
	s := *t.s
	s.Recipes = recipes
	return &s
}

// try compiles the program of one defect by Cranelift. It returns what the toolchain said if it refused it in the way
// that is described, and an error if in another way.
func (t *diffTests) try(ctx context.Context, d difftest.Defect) (string, error) {
	_, err := t.with(t.withDefects([]string{d.Name})).Build(ctx, session.BuildOptions{}, func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Stage(defectsRecipe)
		return []*graph.Node{n}, err
	})
	if err == nil || ctx.Err() != nil {
		return "", err
	}
	log, readErr := os.ReadFile(filepath.Join(t.s.Config.Logs(), defectsRecipe+"."+tested+".log"))
	if readErr != nil {
		return "", err
	}
	refused, compileErr := regexp.Compile(d.Refused)
	if compileErr != nil {
		return "", compileErr
	}
	said := refused.FindString(string(log))
	if said == "" {
		return "", fmt.Errorf("%s is refused, and not in the way that is known (%s): %w", d.Name, d.Refused, err)
	}
	return said, nil
}

// pack makes an image of both stages and the demo's bootstrap.
func (t *diffTests) pack(ctx context.Context, built *session.Built) error {
	root := filepath.Join(t.dir, "programs")
	for i, name := range []string{diffRecipe, defectsRecipe} {
		stage, err := t.s.Store.LoadTree(built.Output(i))
		if err != nil {
			return err
		}
		for _, p := range stage.Paths() {
			e, below := stage.Entries[p], strings.TrimPrefix(p, "root/")
			if e.Dir || below == p {
				continue
			}
			if err := t.place(ctx, e, filepath.Join(root, filepath.FromSlash(below))); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			program := strings.TrimPrefix(below, "bin/")
			if _, refused := t.refused[path.Base(program)]; strings.Contains(program, "/") && !refused {
				t.programs = append(t.programs, program)
			}
		}
	}
	slices.SortFunc(t.programs, byReferenceFirst)
	demo, err := t.output(built, 2, builder.ImageName)
	if err != nil {
		return err
	}
	if err := t.place(ctx, demo, filepath.Join(t.dir, "demo.img")); err != nil {
		return err
	}
	r, err := t.s.Recipe("demo")
	if err != nil {
		return err
	}
	ref, err := recipe.ParseRef(r.Boot.Kernel)
	if err != nil {
		return err
	}
	kernel, err := t.output(built, 3, ref.Path)
	if err != nil {
		return err
	}
	if err := t.place(ctx, kernel, filepath.Join(t.dir, smoke.KernelName)); err != nil {
		return err
	}
	return t.writeImage(ctx, root)
}

// byReferenceFirst puts the reference before the tested, and in both the programs that may end badly last.
func byReferenceFirst(a, b string) int {
	rank := func(program string) int {
		backend, name, _ := strings.Cut(program, "/")
		n := 0
		if backend == tested {
			n = 10
		}
		switch name {
		case "simd":
			n++
		case "panics":
			n += 2
		}
		return n
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func (t *diffTests) output(built *session.Built, i int, file string) (cas.Entry, error) {
	e, ok, err := t.s.Store.Lookup(built.Output(i), file)
	if err == nil && !ok {
		err = fmt.Errorf("%s did not make %s", built.Roots[i].ID, file)
	}
	return e, err
}

func (t *diffTests) place(ctx context.Context, e cas.Entry, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if e.Executable {
		mode = 0o755
	}
	return t.s.Store.PlaceFile(ctx, e.Digest, file, mode)
}

func (t *diffTests) writeImage(ctx context.Context, root string) error {
	demo, err := initfs.OpenFile(filepath.Join(t.dir, "demo.img"))
	if err != nil {
		return err
	}
	defer demo.Close()
	tree, err := initfs.FromDir(root, initfs.DirOptions{KeepPerm: true})
	if err != nil {
		return err
	}
	image := filepath.Join(t.dir, builder.ImageName)
	if _, err := initfs.WriteFile(ctx, image, initfs.Spec{Version: initfs.V1, Root: tree,
		Bootstrap: initfs.Bootstrap{Content: demo.Bootstrap, Entry: demo.Entry}}); err != nil {
		return err
	}
	whole, err := cas.DigestFile(image)
	if err != nil {
		return err
	}
	boot, err := initfs.ReadContent(demo.Bootstrap)
	if err != nil {
		return err
	}
	own := cas.DigestBytes(boot)
	t.image = manifest.Image{Size: whole.Size, SHA256: whole.Hash, BootstrapSize: own.Size, BootstrapSHA256: own.Hash}
	return nil
}
