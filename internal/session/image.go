package session

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
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/ui"
)

// DefaultImage is the description that is built when no other is named.
const DefaultImage = "pure-rust"

// keptSnapshots is how many images from before the last changes are kept.
const keptSnapshots = 5

// toolRecipe makes the program that reads and writes RedoxFS.
const toolRecipe = "redoxfs-tool"

// ImageFlags replace parts of a description for one build. The values are files.
type ImageFlags struct {
	Name                   string // of the description; "" is DefaultImage
	Loader, Kernel, Initfs string
	Out                    string // "" is out/<target>/<name>.img
}

// ImageBuild builds a disk image from images/<name>.toml, with everything it refers to.
func (s *Session) ImageBuild(ctx context.Context, f ImageFlags, o BuildOptions) error {
	d, err := s.description(f)
	if err != nil {
		return err
	}
	b, err := s.imageParts(ctx, d, o)
	if err != nil {
		return err
	}
	if b == nil {
		return s.planPackages(ctx, d)
	}
	contents, err := d.Contents(ctx, b.resolve)
	if err != nil {
		return err
	}
	contents, done, err := s.withPackages(ctx, d, contents)
	if err != nil {
		return err
	}
	defer done()
	for _, op := range contents {
		if op.Path == "/boot/initfs" {
			if err := bootable(op.From); err != nil {
				return err
			}
		}
		if op.Path == "/boot/kernel" {
			if err := s.checkKernel(op.From); err != nil {
				return err
			}
		}
	}
	out := f.Out
	if out == "" {
		out = s.Config.Image(d.Name)
	}
	return s.makeImage(ctx, d, b, contents, out)
}

// bootable refuses an initfs that the kernel would fault on, most of all one without a bootstrap.
func bootable(file string) error {
	img, err := initfs.OpenFile(file)
	if err != nil {
		return err
	}
	defer img.Close()
	if err := errors.Join(img.Verify(), img.Bootable()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (s *Session) makeImage(ctx context.Context, d *disk.Description, b *imageBuild, contents []redoxfs.Op, out string) error {
	job := &disk.Build{Tool: b.tool, Description: d, Contents: contents, Keep: keptSnapshots, Progress: s.imageProgress(len(contents))}
	if d.Boot.Loader != "" {
		loader, err := b.singleFile(ctx, d.Boot.Loader)
		if err != nil {
			return fmt.Errorf("loader %q: %w", d.Boot.Loader, err)
		}
		job.Loader, job.LoaderName = loader, loaderName(s.Config.Target)
	}
	start := time.Now()
	report, err := job.Make(ctx, out)
	if errors.Is(err, disk.ErrUnchanged) {
		s.say("%s is as it would be built: nothing to do", s.relative(out))
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.relative(out), err)
	}
	s.say("%s: %d MiB, %d files, %s, verified, in %s", s.relative(out), d.Size, report.Files, ui.Bytes(report.Bytes), ui.Seconds(time.Since(start)))
	return nil
}

// loaderName is what UEFI firmware starts from a disk that it was told nothing about.
func loaderName(target string) string {
	if strings.HasPrefix(target, "x86_64") {
		return "BOOTX64.EFI"
	}
	return "BOOTAA64.EFI"
}

// imageProgress says every other second how far an image is.
func (s *Session) imageProgress(total int) func(redoxfs.Applied) {
	next := time.Now().Add(2 * time.Second)
	return func(done redoxfs.Applied) {
		if time.Now().After(next) {
			next = time.Now().Add(2 * time.Second)
			s.say("  %d of %d entries, %s", done.Entries, total, ui.Bytes(done.Bytes))
		}
	}
}

// description reads images/<name>.toml and puts the flags' files in.
func (s *Session) description(f ImageFlags) (*disk.Description, error) {
	name := f.Name
	if name == "" {
		name = DefaultImage
	}
	file := filepath.Join(s.Config.Root, "images", name+".toml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no image %q; there are %s", name, strings.Join(s.imageNames("images"), ", "))
	}
	if err != nil {
		return nil, err
	}
	d, err := disk.Parse(name, s.relative(file), text)
	if err != nil {
		return nil, err
	}
	for _, o := range []struct {
		flag string
		ref  *string
	}{{f.Loader, &d.Boot.Loader}, {f.Kernel, &d.Boot.Kernel}, {f.Initfs, &d.Boot.Initfs}} {
		if o.flag == "" {
			continue
		}
		abs, err := filepath.Abs(o.flag)
		if err != nil {
			return nil, err
		}
		*o.ref = filePrefix + abs
	}
	return d, nil
}

func (s *Session) imageNames(dir string) []string {
	files, _ := globdir.In(filepath.Join(s.Config.Root, dir), "*.toml")
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".toml"))
	}
	return names
}

// filePrefix marks references to files of the host.
const filePrefix = "file:"

// imageBuild is what an image's references lead to.
type imageBuild struct {
	s      *Session
	tool   string
	initfs string // the image's initfs reference, when that is a recipe
	stages map[string]*manifest.Manifest
}

// imageParts builds the tool and every recipe that the description refers to, and lays the trees out in out/.
// With -dryrun it prints the plan and returns nil.
func (s *Session) imageParts(ctx context.Context, d *disk.Description, o BuildOptions) (*imageBuild, error) {
	b := &imageBuild{s: s, stages: map[string]*manifest.Manifest{}}
	recipes := map[string]bool{toolRecipe: true}
	for _, ref := range references(d) {
		if name, _, ok := strings.Cut(ref, ":"); ok && !strings.HasPrefix(ref, filePrefix) {
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

func (b *imageBuild) layOut(ctx context.Context, built *Built, names []string) error {
	for i, name := range names {
		dir := filepath.Join(b.s.Config.Out(), name)
		if err := b.s.export(ctx, built.Output(i), dir); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, manifest.FileName))
		if err != nil {
			return err
		}
		if b.stages[name], err = manifest.Read(text); err != nil {
			return err
		}
	}
	b.tool = b.s.toolPath()
	if b.initfs != "" {
		_, err := b.s.exportImage(ctx, built.Output(len(names)))
		return err
	}
	return nil
}

func (s *Session) toolPath() string {
	return filepath.Join(s.Config.Out(), toolRecipe, "root", "bin", "redoxfs-tool")
}

// singleFile is the file of the host that a reference leads to.
func (b *imageBuild) singleFile(ctx context.Context, ref string) (string, error) {
	items, err := b.resolve(ctx, ref)
	if err == nil && (len(items) != 1 || items[0].Host == "") {
		err = errors.New("is no single file")
	}
	if err != nil {
		return "", err
	}
	return items[0].Host, nil
}

// resolve finds what a reference of a description leads to.
func (b *imageBuild) resolve(_ context.Context, ref string) ([]disk.Item, error) {
	if file, ok := strings.CutPrefix(ref, filePrefix); ok {
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
