package initfs

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// List lists an image. Where a manifest that fits the image lies beside it, long listings show
// what made each file; without one they show what the ELF files say of their compilers.
func List(s *session.Session, image string, long bool) error {
	if err := session.CheckArgs(image); err != nil {
		return err
	}
	img, err := initfs.OpenFile(image)
	if err != nil {
		return err
	}
	defer img.Close()
	out := s.Streams.Out
	fmt.Fprintf(out, "%s: initfs %s, %s, %d inodes, bootstrap %s, entry 0x%x\n", image, img.Version, ui.Bytes(img.Size), img.InodeCount, bootstrapText(img.Image), img.Entry)
	made := recordsBeside(image)
	rows := [][]string{{"MODE", "SIZE", "PATH"}}
	if long {
		rows = [][]string{{"MODE", "SIZE", "OFFSET", "BACKEND", "COMPILER", "RECIPE", "PATH", "SOURCE"}}
	}
	err = img.Walk(func(path string, n *initfs.Node) error {
		if path == "" || path == "." || path == "/" {
			return nil
		}
		name := strings.TrimPrefix(path, "/")
		shown := name
		if n.Kind == initfs.Link {
			shown += " -> " + n.Target
		}
		shown = ui.Printable(shown)
		mode := modeText(n)
		if !long {
			rows = append(rows, []string{mode, fmt.Sprint(n.Size()), shown})
			return nil
		}
		said := making(n, made[name])
		rows = append(rows, []string{mode, fmt.Sprint(n.Size()), fmt.Sprintf("0x%x", n.Offset), ui.Dash(said.Backend), ui.Dash(said.Compiler), ui.Dash(said.Recipe), shown, ui.Dash(said.Source)})
		return nil
	})
	if err != nil {
		return err
	}
	return ui.Table(out, rows)
}

func bootstrapText(img *initfs.Image) string {
	if img.Bootstrap == nil {
		return "missing"
	}
	return ui.Bytes(img.Bootstrap.Size())
}

func modeText(n *initfs.Node) string {
	kind := map[initfs.Kind]string{initfs.File: "-", initfs.Dir: "d", initfs.Link: "l"}[n.Kind]
	return fmt.Sprintf("%s%04o", kind, n.Perm)
}

// manifestBeside reads the manifest beside an image when it is that image's: the digest decides. nil without one.
func manifestBeside(image string) *manifest.Manifest {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(image), manifest.FileName))
	if err != nil {
		return nil
	}
	m, err := manifest.Read(text)
	if err != nil || m.Image == nil {
		return nil
	}
	d, err := cas.DigestFile(image)
	if err != nil || d.Hash != m.Image.SHA256 {
		return nil
	}
	return m
}

// recordsBeside is the records of imageManifest, by path.
func recordsBeside(image string) map[string]manifest.File {
	records := map[string]manifest.File{}
	if m := manifestBeside(image); m != nil {
		for _, f := range m.Files {
			records[f.Path] = f
		}
	}
	return records
}

// making is what an ELF file says of its own making. What it does not say (a file that is no program, an image
// made elsewhere) is taken from the manifest that belongs to the image, if there is one.
func making(n *initfs.Node, rec manifest.File) elfcheck.Making {
	said, _ := provenanceOf(n)
	if said.Backend != "" {
		return said
	}
	if rec.Backend != "" || said.Compiler == "" {
		said.Compiler = rec.Compiler
	}
	said.Backend, said.Recipe, said.Source, said.Patches = rec.Backend, rec.Recipe, rec.Source, rec.Patches
	said.C, said.Sysroot = rec.C, rec.Sysroot
	return said
}

// provenanceOf reads our note of an ELF file and the code generators that .comment names. Without our note the
// compiler is what .comment says.
func provenanceOf(n *initfs.Node) (elfcheck.Making, []string) {
	if n.Kind != initfs.File {
		return elfcheck.Making{}, nil
	}
	b, err := initfs.ReadContent(n.Content)
	if err != nil {
		return elfcheck.Making{}, nil
	}
	p, err := elfcheck.ReadProvenance(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return elfcheck.Making{}, nil
	}
	said, ok := p.Making()
	if !ok {
		for _, c := range p.Comments {
			if strings.Contains(c, "rustc") {
				said.Compiler = c
				break
			}
		}
	}
	return said, p.Compilers()
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
	b, err := initfs.ReadContent(c)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(b, []byte(elf.ELFMAG)) {
		return nil
	}
	if err := elfcheck.Check(bytes.NewReader(b), int64(len(b)), elfcheck.Program(machine)).Err(); err != nil {
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
	sum, err := initfs.Replace(ctx, image, path, file, check)
	if err != nil {
		return fmt.Errorf("%s is as it was: %w", image, err)
	}
	s.Say("%s: %s replaced, %s", image, path, ui.Bytes(sum.Size))
	return nil
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
	s.Say("%s: initfs %s, %d inodes, sound and bootable", image, img.Version, img.InodeCount)
	return nil
}
