package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"os"

	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/purity"
)

func (c *collector) addImage(ctx context.Context) error {
	m, err := manifest.ReadIn(c.Out)
	if err == nil && m.Image == nil {
		err = fmt.Errorf("%s describes no image", c.relative(filepath.Join(c.Out, manifest.FileName)))
	}
	if err != nil {
		c.miss("the image", "mage initfs or mage demo makes one"+unlessAbsent(err))
		return nil
	}
	c.manifest = m
	i := &Image{Image: *m.Image, Recipe: m.Recipe, Toolchain: m.Toolchain, When: written(filepath.Join(c.Out, manifest.FileName)), Files: []File{}}
	if m.Purity != nil {
		i.Purity = *m.Purity
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.Link == "" {
			i.Files = append(i.Files, c.fileOf(f))
			i.FileBytes += f.Size
		}
	}
	boot := manifest.File{Path: purity.BootstrapPath, Recipe: m.Recipe, Size: i.BootstrapSize, SHA256: i.BootstrapSHA256}
	if b := m.Image.Bootstrap; b != nil {
		boot.Recipe, boot.Backend = b.Recipe, b.Backend
	}
	if i.BootstrapSize > 0 {
		i.Files = append(i.Files, c.fileOf(boot))
	}
	i.Overhead = i.Size - i.FileBytes - i.BootstrapSize
	c.Report.Image = i
	return nil
}

func (c *collector) fileOf(f manifest.File) File {
	file := File{Path: f.Path, Size: f.Size, Recipe: f.Recipe, Backend: f.Backend, SHA256: f.SHA256}
	if c.Crates == nil || f.Backend == "" {
		return file
	}
	sizes, err := c.Crates(f)
	if err != nil {
		return file // its symbols are not here: the file is shown whole
	}
	// The program in the image is the one without symbols: what is reckoned of the other may not be more than it.
	var sum int64
	for _, n := range sizes {
		sum += n
	}
	if sum <= f.Size {
		file.Crates = largestFirst(sizes)
	}
	return file
}

func largestFirst(sizes map[string]int64) []Crate {
	var all []Crate
	for name, size := range sizes {
		if size > 0 {
			all = append(all, Crate{name, size})
		}
	}
	slices.SortFunc(all, func(a, b Crate) int { return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Name, b.Name)) })
	return all
}

func (c *collector) addChange(context.Context) error {
	if c.Against == "" || c.manifest == nil {
		return nil
	}
	text, err := os.ReadFile(c.Against)
	if errors.Is(err, fs.ErrNotExist) && !c.Required {
		return nil // the first build
	}
	if err != nil {
		return fmt.Errorf("the manifest to compare with: %w", err)
	}
	old, err := manifest.Read(text)
	if err != nil {
		return fmt.Errorf("%s is no manifest to compare with: %w", c.relative(c.Against), err)
	}
	if old.Image == nil {
		return fmt.Errorf("%s is the manifest of no image: there is nothing to compare with", c.relative(c.Against))
	}
	c.Change = compare(old, c.manifest)
	c.Change.Against = c.AgainstName
	if old.Recipe != c.manifest.Recipe {
		c.Change.Against += ", of recipe " + old.Recipe
	}
	return nil
}

// compare says what differs between two images.
func compare(old, now *manifest.Manifest) *Change {
	c := &Change{SizeBefore: old.Image.Size, SizeAfter: now.Image.Size, Files: []FileChange{}}
	if old.Purity != nil {
		c.Before = *old.Purity
	}
	if now.Purity != nil {
		c.After = *now.Purity
	}
	was, is := byPath(old), byPath(now)
	for path, f := range is {
		o, had := was[path]
		switch {
		case !had:
			c.Files = append(c.Files, FileChange{path, "new", 0, f.Size, f.Backend})
		case o.SHA256 != f.SHA256 || o.Size != f.Size || o.Link != f.Link || o.Mode != f.Mode:
			c.Files = append(c.Files, FileChange{path, "changed", o.Size, f.Size, arrow(o.Backend, f.Backend)})
		}
	}
	for path, o := range was {
		if _, still := is[path]; !still {
			c.Files = append(c.Files, FileChange{path, "gone", o.Size, 0, o.Backend})
		}
	}
	slices.SortFunc(c.Files, func(a, b FileChange) int {
		return cmp.Or(cmp.Compare(abs(b.After-b.Before), abs(a.After-a.Before)), strings.Compare(a.Path, b.Path))
	})
	return c
}

// byPath are the files of an image, and its bootstrap.
func byPath(m *manifest.Manifest) map[string]manifest.File {
	all := map[string]manifest.File{}
	for _, f := range m.Files {
		all[f.Path] = f
	}
	if m.Image.BootstrapSize > 0 {
		boot := manifest.File{Size: m.Image.BootstrapSize, SHA256: m.Image.BootstrapSHA256}
		if b := m.Image.Bootstrap; b != nil {
			boot.Backend = b.Backend
		}
		all[purity.BootstrapPath] = boot
	}
	return all
}

func arrow(before, after string) string {
	if before == after {
		return after
	}
	return before + " -> " + after
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
