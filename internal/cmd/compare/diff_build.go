package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
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
	var err error
	if t.recipes, err = t.s.Recipes(); err != nil {
		return nil, err
	}
	// The reference and everything else first: what fails here is no defect of Cranelift's.
	built, err := t.buildStages(ctx, withDefects(t.recipes, nil))
	if err != nil || built == nil {
		return nil, err
	}
	var compiled []string
	for _, d := range t.expected.Defects {
		refusal, err := t.compileDefect(ctx, &d)
		if err != nil {
			return nil, err
		}
		if refusal == "" {
			compiled = append(compiled, d.Name)
			continue
		}
		if t.found.Applied[d.Patch] {
			return nil, fmt.Errorf("%s is refused (%q) though the toolchain was built with %s/%s", d.Name, refusal, difftest.Series, d.Patch)
		}
		t.found.Refused[d.Name] = refusal
	}
	if len(compiled) == 0 {
		return built, nil
	}
	return t.buildStages(ctx, withDefects(t.recipes, compiled))
}

// withDefects are recipes with only some of the defects' programs by Cranelift.
func withDefects(recipes recipe.Set, names []string) recipe.Set {
	recipes = maps.Clone(recipes)
	r := *recipes[defectsRecipe]
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		if r.Steps[i].Name == difftest.Tested {
			r.Steps[i].Bins = names
		}
	}
	r.Files = slices.DeleteFunc(slices.Clone(r.Files), func(f recipe.File) bool {
		from, name, _ := strings.Cut(f.From, "/")
		return from == difftest.Tested && !slices.Contains(names, name)
	})
	recipes[defectsRecipe] = &r
	return recipes
}

func (t *diffTests) buildStages(ctx context.Context, recipes recipe.Set) (*session.Built, error) {
	s, err := t.s.WithRecipes(recipes)
	if err != nil {
		return nil, err
	}
	return s.Build(ctx, session.BuildOptions{}, func(b *builder.Builder) ([]*graph.Node, error) {
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

// compileDefect compiles the program of one defect by Cranelift. It returns what the toolchain says if it refuses it in the way
// that is described, and an error if in another way.
func (t *diffTests) compileDefect(ctx context.Context, d *difftest.Defect) (refusal string, err error) {
	s, err := t.s.WithRecipes(withDefects(t.recipes, []string{d.Name}))
	if err != nil {
		return "", err
	}
	_, err = s.Build(ctx, session.BuildOptions{}, func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Stage(defectsRecipe)
		return []*graph.Node{n}, err
	})
	if err == nil || ctx.Err() != nil {
		return "", err
	}
	// It may be refused by the compiler or, for what that left undefined, by the linker: two steps.
	var failed *graph.Failure
	if !errors.As(err, &failed) {
		return "", err
	}
	log, readErr := os.ReadFile(failed.Log)
	if readErr != nil {
		return "", err
	}
	if refusal = d.Refusal(string(log)); refusal == "" {
		return "", fmt.Errorf("%s is refused, and not in the way that is known (%s): %w", d.Name, d.Refused, err)
	}
	return refusal, nil
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
			if _, refused := t.found.Refused[path.Base(program)]; strings.Contains(program, "/") && !refused {
				t.programs = append(t.programs, program)
			}
		}
	}
	difftest.SortPrograms(t.programs)
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
