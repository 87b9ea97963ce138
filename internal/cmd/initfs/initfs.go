package initfs

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/purity"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// listing is what is in an image.
type listing struct {
	Image     string  `json:"image"`
	Layout    int     `json:"layout"`
	Size      int64   `json:"size"` // bytes
	Inodes    int     `json:"inodes"`
	Bootstrap int64   `json:"bootstrap_size"` // bytes; -1: it has none
	Entry     uint64  `json:"bootstrap_entry"`
	Files     []entry `json:"files"`
}

// entry is a file, folder or link of an image.
type entry struct {
	Path   string `json:"path"`
	Mode   string `json:"mode"` // as ls shows the kind, then four octal digits
	Size   int64  `json:"size"` // bytes
	Offset uint64 `json:"offset,omitempty"`
	Link   string `json:"link,omitempty"`
	// Made is what is known of a file's making; only in long listings.
	Made *purity.File `json:"made,omitempty"`
}

// List lists an image. Where a manifest that fits the image lies beside it, long listings show
// what made each file; without one they show what the ELF files say of their compilers.
func List(s *session.Session, image string, long, asJSON bool) error {
	if err := session.CheckArgs(image); err != nil {
		return err
	}
	l, err := list(image, long)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "initfs:ls", l)
	}
	return printListing(s.Streams.Out, l)
}

func list(image string, long bool) (*listing, error) {
	img, err := initfs.OpenFile(image)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	l := &listing{Image: image, Layout: int(img.Version), Size: img.Size, Inodes: int(img.InodeCount), Bootstrap: -1, Entry: uint64(img.Entry), Files: []entry{}}
	if img.Bootstrap != nil {
		l.Bootstrap = img.Bootstrap.Size()
	}
	var records map[string]manifest.File
	if long {
		records = purity.Records(purity.Manifest(image))
	}
	return l, img.Walk(func(path string, n *initfs.Node) error {
		name := strings.TrimPrefix(path, "/")
		if name == "" || name == "." {
			return nil
		}
		e := entry{Path: name, Mode: modeText(n), Size: n.Size(), Offset: uint64(n.Offset)}
		if n.Kind == initfs.Link {
			e.Link = n.Target
		}
		if long {
			made := purity.FileOf(name, n, records[name])
			e.Made = &made
		}
		l.Files = append(l.Files, e)
		return nil
	})
}

func printListing(out io.Writer, l *listing) error {
	bootstrap := "missing"
	if l.Bootstrap >= 0 {
		bootstrap = ui.Bytes(l.Bootstrap)
	}
	fmt.Fprintf(out, "%s: initfs %s, %s, %d inodes, bootstrap %s, entry 0x%x\n", l.Image, initfs.Version(l.Layout), ui.Bytes(l.Size), l.Inodes, bootstrap, l.Entry)
	rows := [][]string{{"MODE", "SIZE", "PATH"}}
	for _, e := range l.Files {
		shown := e.Path
		if e.Link != "" {
			shown += " -> " + e.Link
		}
		shown = ui.Printable(shown)
		if e.Made == nil {
			rows = append(rows, []string{e.Mode, fmt.Sprint(e.Size), shown})
			continue
		}
		rows[0] = []string{"MODE", "SIZE", "OFFSET", "BACKEND", "COMPILER", "RECIPE", "PATH", "SOURCE"}
		rows = append(rows, []string{e.Mode, fmt.Sprint(e.Size), fmt.Sprintf("0x%x", e.Offset),
			ui.Dash(e.Made.Backend), ui.Dash(e.Made.Compiler), ui.Dash(e.Made.Recipe), shown, ui.Dash(e.Made.Source)})
	}
	return ui.Table(out, rows)
}

func modeText(n *initfs.Node) string {
	kind := map[initfs.Kind]string{initfs.File: "-", initfs.Dir: "d", initfs.Link: "l"}[n.Kind]
	return fmt.Sprintf("%s%04o", kind, n.Perm)
}

// Extract writes an image's files into a new folder.
func Extract(ctx context.Context, s *session.Session, image, dir string) error {
	if err := session.CheckArgs(image, dir); err != nil {
		return err
	}
	img, err := initfs.OpenFile(image)
	if err != nil {
		return err
	}
	defer img.Close()
	path := filepath.Clean(dir) + ".bootstrap"
	if _, err := os.Lstat(path); err == nil && img.Bootstrap != nil {
		return fmt.Errorf("%s is there already, where the image's bootstrap would go", path)
	}
	if err := img.Extract(ctx, dir); err != nil {
		return fmt.Errorf("%s: %w", image, err)
	}
	s.Say("%s: extracted to %s", image, dir)
	for _, link := range img.OutsideLinks() {
		s.Say("  %s: %s; it is made as it is, nothing follows it here", ui.Printable(link.Path), link.Why)
	}
	if files := img.SetID(); len(files) > 0 {
		s.Say("  without their set-id and sticky bits, which are not safe here: %s", ui.SomeOf(files))
	}
	if img.Bootstrap == nil {
		return nil
	}
	b, err := initfs.ReadContent(img.Bootstrap)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, b, 0o755); err != nil {
		return err
	}
	s.Say("its bootstrap is %s: `mage initfs:pack %s %s IMG` makes the image again", path, dir, path)
	return nil
}

// Pack makes an image of a folder. Every program is checked before anything is written.
func Pack(ctx context.Context, s *session.Session, dir, bootstrap, image string, layout *int) error {
	if err := session.CheckArgs(dir, bootstrap, image); err != nil {
		return err
	}
	version := initfs.V1
	if layout != nil {
		version = initfs.Version(*layout)
	}
	machine, err := s.Machine()
	if err != nil {
		return err
	}
	report, err := elfcheck.CheckFile(bootstrap, elfcheck.Bootstrap(machine))
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return fmt.Errorf("%s cannot be a bootstrap: %w", bootstrap, err)
	}
	root, err := initfs.FromDir(dir, initfs.DirOptions{KeepPerm: true})
	if err != nil {
		return err
	}
	var all *multierror.Error
	_ = root.Walk(func(path string, n *initfs.Node) error {
		if n.Kind == initfs.File {
			if err := checkProgram(machine, path, n.Content); err != nil {
				all = multierror.Append(all, err)
			}
		}
		return nil
	})
	if err := all.ErrorOrNil(); err != nil {
		return err
	}
	boot, err := initfs.FileContent(bootstrap)
	if err != nil {
		return err
	}
	sum, err := initfs.WriteFile(ctx, image, initfs.Spec{Version: version, Root: root, Bootstrap: initfs.Bootstrap{Content: boot, Entry: report.Entry}})
	if err != nil {
		return err
	}
	s.Say("%s: initfs %s, %s, %d inodes", image, version, ui.Bytes(sum.Size), sum.Inodes)
	return nil
}

// checkProgram holds an ELF file to the rules for programs; other files pass.
func checkProgram(machine elf.Machine, path string, c initfs.Content) error {
	err := initfs.LookInto(c, func(r io.ReaderAt) error { return elfcheck.CheckProgram(r, c.Size(), machine) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Replace puts one file into an image: same layout, everything checked before the image changes.
func Replace(ctx context.Context, s *session.Session, image, path, file string) error {
	if err := session.CheckArgs(image, path, file); err != nil {
		return err
	}
	machine, err := s.Machine()
	if err != nil {
		return err
	}
	check := func(path string, c initfs.Content) error { return checkProgram(machine, path, c) }
	m := purity.Manifest(image) // of the image as it is
	sum, err := initfs.Replace(ctx, image, path, file, check)
	if err != nil {
		return fmt.Errorf("%s is as it was: %w", image, err)
	}
	s.Say("%s: %s replaced, %s", image, path, ui.Bytes(sum.Size))
	if m == nil {
		return nil
	}
	if err := updateManifest(m, image, path); err != nil {
		return fmt.Errorf("%s is replaced, and the manifest beside it describes the one before: %w", image, err)
	}
	return nil
}

// updateManifest makes a manifest that of the image in which one file was replaced, so that whoever holds the image to it
// (`mage boot`, image:inject) finds them equal.
func updateManifest(m *manifest.Manifest, image, path string) error {
	whole, err := cas.DigestFile(image)
	if err != nil {
		return err
	}
	img, err := initfs.OpenFile(image)
	if err != nil {
		return err
	}
	defer img.Close()
	n, err := img.Root.Lookup(path)
	if err != nil {
		return err
	}
	content, err := initfs.ReadContent(n.Content)
	if err != nil {
		return err
	}
	name := strings.Trim(path, "/")
	of := purity.FileOf(name, n, manifest.File{})
	for i := range m.Files {
		if old := &m.Files[i]; old.Path == name {
			*old = manifest.File{Path: name, Mode: old.Mode, Size: n.Size(), SHA256: cas.DigestBytes(content).Hash, Recipe: old.Recipe,
				Source: "a file that initfs:replace put there", Backend: strings.TrimSuffix(of.Backend, "?"), Compiler: of.Compiler}
		}
	}
	m.Image.Size, m.Image.SHA256 = whole.Size, whole.Hash
	text, err := m.Encode()
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(filepath.Dir(image), manifest.FileName), text, 0o644)
}

// Verify reports everything that is wrong with an image.
func Verify(s *session.Session, image string) error {
	if err := session.CheckArgs(image); err != nil {
		return err
	}
	img, err := initfs.OpenFile(image)
	if err != nil {
		return err
	}
	defer img.Close()
	if err := errors.Join(img.Verify(), img.Bootable()); err != nil {
		return fmt.Errorf("%s: %w", image, err)
	}
	outside := img.OutsideLinks()
	for _, link := range outside {
		s.Say("%s: %s", ui.Printable(link.Path), link.Why)
	}
	findings := ""
	if len(outside) > 0 {
		findings = fmt.Sprintf("; %d links lead out of it", len(outside))
	}
	s.Say("%s: initfs %s, %d inodes, sound and bootable%s", image, img.Version, img.InodeCount, findings)
	return nil
}
