package dev

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/smoke"
)

// systemOf is what is booted for a recipe: the demo for what it is made of, else an image that has the recipe in it. dir is for its files.
func systemOf(s *session.Session, name, dir string, f Flags) (system, error) {
	recipes, err := s.Recipes()
	if err != nil {
		return nil, err
	}
	if f.Name == "" && reaches(recipes, []string{"demo"}, name) {
		return &demo{s: s, dir: dir, accel: f.Accel}, nil
	}
	d, err := diskbuild.Describe(s, diskbuild.Flags{Name: f.Name})
	if err != nil {
		return nil, err
	}
	if !reaches(recipes, diskbuild.Recipes(d), name) {
		return nil, fmt.Errorf("nothing of %s is in the image %s, so booting it would not show a change: -name=NAME boots another of images/, and `mage recipe:build %s` builds it", name, d.Name, name)
	}
	return &image{s: s, f: f, working: diskbuild.Working{Path: filepath.Join(dir, d.Name+".img")}}, nil
}

// reaches tells whether one of some recipes needs another one, or is it, or shares its source.
func reaches(all recipe.Set, from []string, to string) bool {
	seen := map[string]bool{}
	for len(from) > 0 {
		name := from[0]
		from = from[1:]
		r := all[name]
		if r == nil || seen[name] {
			continue
		}
		seen[name] = true
		from = slices.Concat(from, r.Requires())
		if r.Source.SameAs != "" {
			from = append(from, r.Source.SameAs)
		}
	}
	return seen[to]
}

// demo is the embedded demo under its smoke kernel.
type demo struct {
	s          *session.Session
	dir, accel string
	manifest   *manifest.Manifest
}

func (d *demo) build(ctx context.Context) error {
	kernelPath := ""
	built, err := d.s.Build(ctx, session.BuildOptions{FallBack: true, Quiet: true}, func(b *builder.Builder) ([]*graph.Node, error) {
		image, err := b.Initfs("demo")
		if err != nil {
			return nil, err
		}
		kernel, path, err := b.Kernel("demo")
		kernelPath = path
		return []*graph.Node{image, kernel}, err
	})
	if err != nil {
		return err
	}
	if d.manifest, err = d.s.ExportInitfs(ctx, built.Output(0)); err != nil {
		return err
	}
	e, ok, err := d.s.Store.Lookup(built.Output(1), kernelPath)
	if err == nil && !ok {
		err = fmt.Errorf("the smoke kernel %s was not made", kernelPath)
	}
	if err != nil {
		return err
	}
	if err := d.s.Store.PlaceFile(ctx, e.Digest, filepath.Join(d.dir, smoke.KernelName), 0o755); err != nil {
		return err
	}
	// A copy of our own: another run may put another image into out/ meanwhile.
	image, err := os.ReadFile(filepath.Join(d.s.Config.Out(), builder.ImageName))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, builder.ImageName), image, 0o644)
}

func (d *demo) machine() (*qemu.Machine, error) {
	nonce, err := smoke.NewNonce()
	if err != nil {
		return nil, err
	}
	return smoke.Machine(d.s.Look, d.accel, filepath.Join(d.dir, smoke.KernelName), filepath.Join(d.dir, builder.ImageName), smoke.Arguments(d.manifest, nonce))
}

// image is a disk image with bootloader, kernel and initfs.
type image struct {
	s       *session.Session
	f       Flags
	working diskbuild.Working
}

func (i *image) build(ctx context.Context) error {
	d, err := diskbuild.Describe(i.s, diskbuild.Flags{Name: i.f.Name})
	if err != nil {
		return err
	}
	parts, err := diskbuild.BuildParts(ctx, i.s, d, session.BuildOptions{Quiet: true})
	if err != nil {
		return err
	}
	return i.working.Update(ctx, i.s, d, parts)
}

func (i *image) machine() (*qemu.Machine, error) {
	o := i.f.GuestOptions
	o.Image = i.working.Path
	m, err := guest.New(i.s, o)
	if err != nil {
		return nil, err
	}
	if i.f.CPUs != 0 {
		m.CPUs = i.f.CPUs
	}
	return m, m.AddNetwork()
}

var _, _ system = (*demo)(nil), (*image)(nil)
