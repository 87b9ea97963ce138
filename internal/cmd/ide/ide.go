// Package ide is `mage ide`: a source as rust-analyzer has to see it.
//
// It owns which step of a recipe an editor looks at a source for, and the words. It must not know what rust-analyzer reads (package ide below internal).
package ide

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cargoconfig"
	"github.com/pannous/redox-clif/internal/editing"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/ide"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
)

// Make takes the source of a recipe for editing and writes what rust-analyzer needs for it to out/ide/NAME.
func Make(ctx context.Context, s *session.Session, name string) error {
	place, err := editing.Take(ctx, s, name)
	if err != nil || place == nil {
		return err
	}
	s.Reread()
	r, err := s.Recipe(name)
	if err != nil {
		return err
	}
	t, err := s.Toolchain(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.Config.Root, "out", "ide", name)
	step, triple, err := exportStd(ctx, s, r, filepath.Join(dir, "std"))
	if err != nil {
		return err
	}
	overrides, err := s.Overrides()
	if err != nil {
		return err
	}
	download, _, err := cargoconfig.Download(s.Config.CargoHome)
	if err != nil {
		return err
	}
	p := &ide.Project{
		Name: name, Dir: dir, Source: filepath.Join(place.Dir, filepath.FromSlash(r.Cargo.Dir), filepath.FromSlash(step.Dir)), Toolchain: t.Dir,
		Spec: filepath.Join(s.Config.Out(), "spec", triple+".json"), Std: filepath.Join(dir, "std"), Flags: flags(t, step), JSONSpec: t.Caps.CargoJSONTargetSpec,
		Features: step.Features, NoDefault: step.DefaultFeatures != nil && !*step.DefaultFeatures,
		CargoHome: s.Config.CargoHome, Download: download, Mirrors: overrides.Mirrors(),
	}
	files, err := p.Write()
	if err != nil {
		return err
	}
	s.Say("VS Code: code %s", s.Relative(files.Workspace))
	s.Say("others:  . %s, and start the editor in that shell in %s", s.Relative(files.Env), s.Relative(p.Source))
	return nil
}

// flags are rustc's for the target: without them it reads no spec of ours.
func flags(t *session.Toolchain, step *recipe.Step) []string {
	var all []string
	if t.Caps.RustcUnstableForJSON {
		all = append(all, "-Zunstable-options")
	}
	for _, f := range step.RustFlags {
		if !strings.Contains(f, "%{") && !strings.Contains(f, "link") { // what is checked is not linked
			all = append(all, f)
		}
	}
	return all
}

// exportStd finds the step that an editor looks at a source for, the first that is staged and that cargo compiles with a library that was prepared,
// and lays that library out. triple is the step's target.
func exportStd(ctx context.Context, s *session.Session, r *recipe.Recipe, dir string) (step *recipe.Step, triple string, err error) {
	var std *graph.Node
	built, err := s.Build(ctx, session.BuildOptions{Quiet: true, FallBack: session.IsDemo(r)}, func(b *builder.Builder) ([]*graph.Node, error) {
		root, err := b.Stage(r.Name)
		if err != nil {
			return nil, err
		}
		for i := range r.Steps {
			if step = &r.Steps[i]; step.Kind != recipe.KindCargo {
				continue
			}
			if std = stdOf(root, r.Name+"/"+step.Name); std != nil {
				return []*graph.Node{std}, nil
			}
		}
		return nil, fmt.Errorf("%s has no step that cargo compiles for the target with a standard library that was prepared (-std=shared), so that there is nothing for rust-analyzer to know", r.Name)
	})
	if err != nil || built == nil {
		return nil, "", err
	}
	_, rest, _ := strings.Cut(std.ID, "/")
	triple, _, _ = strings.Cut(rest, "/")
	return step, triple, s.Export(ctx, built.Output(0), dir)
}

// stdOf is the standard library among what a step needs.
func stdOf(root *graph.Node, step string) *graph.Node {
	seen := map[*graph.Node]bool{}
	for todo := []*graph.Node{root}; len(todo) > 0; {
		n := todo[0]
		todo = append(slices.Clone(todo[1:]), n.Deps...)
		if seen[n] {
			continue
		}
		seen[n] = true
		if n.ID != step && !strings.HasPrefix(n.ID, step+"/") && !strings.HasPrefix(n.ID, step+"+") {
			continue
		}
		for _, dep := range n.Deps {
			if strings.HasPrefix(dep.ID, "std/") && strings.Count(dep.ID, "/") == 2 {
				return dep
			}
		}
	}
	return nil
}
