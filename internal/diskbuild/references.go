package diskbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/session"
)

// FilePrefix marks references to files of the host.
const FilePrefix = "file:"

// Parts is what an image's references lead to.
type Parts struct {
	s      *session.Session
	Tool   string
	initfs string // the image's initfs reference, when that is a recipe
	stages map[string]*manifest.Manifest
}

// BuildParts builds the tool and every recipe that the description refers to, and lays the trees out in out/.
// With -dryrun it prints the plan and returns nil.
func BuildParts(ctx context.Context, s *session.Session, d *disk.Description, o session.BuildOptions) (*Parts, error) {
	b := &Parts{s: s, stages: map[string]*manifest.Manifest{}}
	recipes := map[string]bool{ToolRecipe: true}
	for _, ref := range references(d) {
		if name, _, ok := strings.Cut(ref, ":"); ok && !strings.HasPrefix(ref, FilePrefix) {
			recipes[name] = true
		}
	}
	names := make([]string, 0, len(recipes))
	for name := range recipes {
		names = append(names, name)
	}
	sort.Strings(names)
	if ref := d.Boot.Initfs; ref != "" && !strings.Contains(ref, ":") {
		b.initfs = ref
	}
	built, err := s.Build(ctx, o, func(builder *builder.Builder) ([]*graph.Node, error) {
		var nodes []*graph.Node
		for _, name := range names {
			n, err := builder.Stage(name)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
		if b.initfs != "" {
			n, err := builder.Initfs(b.initfs)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
		return nodes, nil
	})
	if err != nil || built == nil {
		return nil, err
	}
	return b, b.layOut(ctx, built, names)
}

// Recipes are those that a description refers to.
func Recipes(d *disk.Description) []string {
	var names []string
	for _, ref := range append(references(d), d.Boot.Initfs) {
		if name, _, _ := strings.Cut(ref, ":"); name != "" && !strings.HasPrefix(ref, FilePrefix) {
			names = append(names, name)
		}
	}
	return names
}

func references(d *disk.Description) []string {
	refs := []string{d.Boot.Loader, d.Boot.Kernel}
	for _, t := range d.Trees {
		refs = append(refs, t.From)
	}
	for _, f := range d.Files {
		refs = append(refs, f.From)
	}
	return refs
}

func (b *Parts) layOut(ctx context.Context, built *session.Built, names []string) error {
	for i, name := range names {
		dir := filepath.Join(b.s.Config.Out(), name)
		if err := b.s.Export(ctx, built.Output(i), dir); err != nil {
			return err
		}
		m, err := manifest.ReadIn(dir)
		if err != nil {
			return err
		}
		b.stages[name] = m
	}
	b.Tool = ToolPath(b.s)
	if b.initfs != "" {
		_, err := b.s.ExportInitfs(ctx, built.Output(len(names)))
		return err
	}
	return nil
}

// SingleFile is the file of the host that a reference leads to.
func (b *Parts) SingleFile(ctx context.Context, ref string) (string, error) {
	items, err := b.Resolve(ctx, ref)
	if err == nil && (len(items) != 1 || items[0].Host == "") {
		err = errors.New("is no single file")
	}
	if err != nil {
		return "", err
	}
	return items[0].Host, nil
}

// Resolve finds what a reference of a description leads to.
func (b *Parts) Resolve(_ context.Context, ref string) ([]disk.Item, error) {
	if file, ok := strings.CutPrefix(ref, FilePrefix); ok {
		if !filepath.IsAbs(file) {
			file = filepath.Join(b.s.Config.Root, filepath.FromSlash(file))
		}
		return hostItems(file)
	}
	if ref == b.initfs {
		return []disk.Item{{Host: filepath.Join(b.s.Config.Out(), builder.ImageName), Mode: 0o644}}, nil
	}
	name, below, ok := strings.Cut(ref, ":")
	m := b.stages[name]
	if !ok || m == nil {
		return nil, errors.New("no reference: want recipe:path, file:path or, for the initfs, a recipe")
	}
	var items []disk.Item
	for _, f := range m.Files {
		rest, inside := strings.CutPrefix("/"+f.Path, path.Join("/", below))
		if !inside || below != "" && rest != "" && rest[0] != '/' {
			continue
		}
		perm, err := strconv.ParseUint(f.Mode, 8, 16)
		if err != nil {
			return nil, fmt.Errorf("%s has mode %q", f.Path, f.Mode)
		}
		item := disk.Item{Path: strings.TrimPrefix(rest, "/"), Link: f.Link, Mode: uint16(perm)}
		if f.Link == "" {
			item.Host = filepath.Join(b.s.Config.Out(), name, "root", filepath.FromSlash(f.Path))
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("the staged tree of %s has no %q", name, below)
	}
	return items, nil
}

// hostItems are a file, or everything below a folder, of the host. Links keep their targets.
func hostItems(top string) ([]disk.Item, error) {
	var items []disk.Item
	err := filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		item := disk.Item{Path: filepath.ToSlash(rel), Mode: uint16(info.Mode().Perm())}
		if rel == "." {
			item.Path = ""
		}
		switch {
		case info.IsDir():
			item.Dir = true
		case info.Mode()&fs.ModeSymlink != 0:
			if item.Link, err = os.Readlink(p); err != nil {
				return err
			}
		case info.Mode().IsRegular():
			item.Host = p
		default:
			return fmt.Errorf("%s is neither file, folder nor link", p)
		}
		items = append(items, item)
		return nil
	})
	return items, err
}
