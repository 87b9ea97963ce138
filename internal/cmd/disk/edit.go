package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// InjectFlags say what goes into an image. With nothing given it is the initfs in out/.
type InjectFlags struct {
	Image          string // "" is out/<target>/pure-rust.img
	Initfs, Kernel string // files, placed under both of their names
	Files          string // further ones: HOST:PATH[:MODE], several with commas between
}

// Inject puts files into an image that exists.
func Inject(ctx context.Context, s *session.Session, f InjectFlags) error {
	if f.Initfs == "" && f.Kernel == "" && f.Files == "" {
		var err error
		if f.Initfs, err = builtInitfs(s); err != nil {
			return err
		}
	}
	if f.Initfs != "" {
		if err := diskbuild.Bootable(f.Initfs); err != nil {
			return err
		}
	}
	if f.Kernel != "" {
		if err := diskbuild.CheckKernel(s, f.Kernel); err != nil {
			return err
		}
	}
	ops, err := f.ops()
	if err != nil {
		return err
	}
	return diskbuild.Edit(ctx, s, f.Image, func(e *disk.Editor) error {
		if err := e.Edit(ctx, ops); err != nil {
			return fmt.Errorf("%s is as it was: %w", s.Relative(e.Path), err)
		}
		s.Say("%s: %d files written, read back and verified; `mage image:snapshots` lists what was before", s.Relative(e.Path), len(ops))
		return nil
	})
}

// builtInitfs is the image in out/, which the demo and the real initfs share.
func builtInitfs(s *session.Session) (string, error) {
	m, err := manifest.ReadIn(s.Config.Out())
	if err != nil {
		return "", fmt.Errorf("no initfs to inject, `mage initfs` builds one: %w", err)
	}
	if err != nil {
		return "", err
	}
	if m.Recipe == "demo" {
		return "", errors.New("what lies in out/ is the demo's image, which no Redox kernel starts; `mage initfs` builds the real one")
	}
	return filepath.Join(s.Config.Out(), builder.ImageName), nil
}

func (f InjectFlags) ops() ([]redoxfs.Op, error) {
	var ops []redoxfs.Op
	add := func(host, to string, mode uint16) error {
		abs, err := filepath.Abs(host)
		if err == nil {
			_, err = os.Stat(abs)
		}
		m := mode
		ops = append(ops, redoxfs.Op{Op: redoxfs.OpFile, Path: to, From: abs, Mode: &m})
		return err
	}
	for name, host := range map[string]string{"initfs": f.Initfs, "kernel": f.Kernel} {
		for _, dir := range []string{"/boot/", "/usr/lib/boot/"} {
			if host == "" {
				continue
			}
			if err := add(host, dir+name, 0o644); err != nil {
				return nil, err
			}
		}
	}
	for _, spec := range strings.FieldsFunc(f.Files, func(r rune) bool { return r == ',' }) {
		host, rest, ok := strings.Cut(spec, ":")
		to, modeText, _ := strings.Cut(rest, ":")
		if !ok || host == "" || !strings.HasPrefix(to, "/") {
			return nil, fmt.Errorf("-files=%s: want HOST:/PATH or HOST:/PATH:MODE", spec)
		}
		mode := uint16(0o644)
		if info, err := os.Stat(host); err == nil {
			mode = uint16(info.Mode().Perm())
		}
		if modeText != "" {
			n, err := strconv.ParseUint(modeText, 8, 16)
			if err != nil || n > 0o7777 {
				return nil, fmt.Errorf("-files=%s: %q is no octal mode", spec, modeText)
			}
			mode = uint16(n)
		}
		if err := add(host, to, mode); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// Bless keeps an image as the known good one.
func Bless(ctx context.Context, s *session.Session, path string) error {
	return diskbuild.Edit(ctx, s, path, func(e *disk.Editor) error {
		r, err := e.Bless(ctx)
		if err == nil {
			s.Say("%s: known good, %d files, %s", s.Relative(disk.Blessed(e.Path)), r.Files, ui.Bytes(r.Bytes))
		}
		return err
	})
}

// Restore brings the known good image back, or only some paths of it, or a snapshot by its name.
func Restore(ctx context.Context, s *session.Session, path, snapshot string, paths []string) error {
	return diskbuild.Edit(ctx, s, path, func(e *disk.Editor) error {
		var err error
		what := "the known good image"
		switch {
		case snapshot != "":
			what, err = "snapshot "+snapshot, e.RestoreSnapshot(ctx, snapshot)
		case len(paths) > 0:
			what, err = strings.Join(paths, ", "), e.RestorePaths(ctx, paths)
		default:
			err = e.Restore(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s is as it was: %w", s.Relative(e.Path), err)
		}
		s.Say("%s: restored %s; undo by `mage image:restore -snapshot=NAME` (mage image:snapshots)", s.Relative(e.Path), what)
		return nil
	})
}

// Rm removes files and trees.
func Rm(ctx context.Context, s *session.Session, path string, paths []string) error {
	if len(paths) == 0 {
		return errors.New("no path to remove: image:rm /a,/b")
	}
	if err := session.CheckArgs(paths...); err != nil {
		return err
	}
	var ops []redoxfs.Op
	for _, p := range paths {
		ops = append(ops, redoxfs.Op{Op: redoxfs.OpRemove, Path: p, Recursive: true})
	}
	return diskbuild.Edit(ctx, s, path, func(e *disk.Editor) error {
		if err := e.Edit(ctx, ops); err != nil {
			return fmt.Errorf("%s is as it was: %w", s.Relative(e.Path), err)
		}
		s.Say("%s: removed %s", s.Relative(e.Path), strings.Join(paths, ", "))
		return nil
	})
}

// Grow makes an image larger.
func Grow(ctx context.Context, s *session.Session, path string, mib int) error {
	return diskbuild.Edit(ctx, s, path, func(e *disk.Editor) error {
		err := e.Grow(ctx, int64(mib))
		if err == nil {
			s.Say("%s: %d MiB", s.Relative(e.Path), mib)
		}
		return err
	})
}

// Diff lists what differs between the known good image and another one.
func Diff(ctx context.Context, s *session.Session, path, against string) error {
	path, err := diskbuild.Existing(s, path)
	if err != nil {
		return err
	}
	if against == "" {
		against = disk.Blessed(path)
	}
	if _, err := os.Stat(against); err != nil {
		return fmt.Errorf("nothing to compare with: %w; `mage image:bless` keeps an image as the known good one, -against=IMG names another", err)
	}
	tool, err := diskbuild.Tool(ctx, s)
	if err != nil || tool == "" {
		return err
	}
	diffs, err := disk.Diff(ctx, tool, against, path)
	if err != nil {
		return err
	}
	for _, d := range diffs {
		fmt.Fprintf(s.Streams.Out, "%-9s %s%s\n", mark(d), ui.Printable(d.Path), detail(d))
	}
	s.Say("%d differences between %s and %s", len(diffs), s.Relative(against), s.Relative(path))
	return nil
}

func mark(d disk.Difference) string {
	if d.Old != nil && d.New != nil {
		return "changed"
	}
	return d.What
}

func detail(d disk.Difference) string {
	if d.Old == nil || d.New == nil {
		return ""
	}
	text := ": " + d.What
	if d.Old.Mode != d.New.Mode {
		text += fmt.Sprintf(" (%04o to %04o)", d.Old.Mode, d.New.Mode)
	}
	if d.Old.Size != d.New.Size && d.New.Type == "file" {
		text += fmt.Sprintf(" (%d to %d bytes)", d.Old.Size, d.New.Size)
	}
	return text
}

// Snapshots lists the snapshots of an image, and first removes all but the newest ones if told so.
func Snapshots(ctx context.Context, s *session.Session, path string, keep *int) error {
	path = diskbuild.OrDefault(s, path)
	if keep != nil && *keep < 0 {
		return fmt.Errorf("-keep=%d: want 0 or more", *keep)
	}
	if keep != nil {
		e, err := disk.Open(ctx, "", path)
		if err != nil {
			return err
		}
		gone, err := e.Prune(*keep)
		e.Close()
		if err != nil {
			return err
		}
		s.Say("%d snapshots removed", len(gone))
	}
	all, err := disk.Snapshots(path)
	if err != nil {
		return err
	}
	rows := [][]string{{"SNAPSHOT", "TAKEN", "ON DISK"}}
	for _, one := range all {
		rows = append(rows, []string{one.Name, one.When.Local().Format("2006-01-02 15:04:05"), ui.Bytes(one.Size)})
	}
	return ui.Table(s.Streams.Out, rows)
}

// Ls lists a directory of an image, or all of it below a path.
func Ls(ctx context.Context, s *session.Session, path, below string, recursive, asJSON bool) error {
	if err := session.CheckArgs(below); err != nil {
		return err
	}
	v, err := diskbuild.Volume(ctx, s, path)
	if err != nil || v == nil {
		return err
	}
	list := v.List
	if recursive {
		list = func(ctx context.Context, p string) ([]redoxfs.Node, error) { return v.Tree(ctx, p, false) }
	}
	nodes, err := list(ctx, below)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "image:ls", nodes)
	}
	for _, n := range nodes {
		target := ""
		if n.Target != "" {
			target = " -> " + ui.Printable(n.Target)
		}
		fmt.Fprintf(s.Streams.Out, "%-4s %04o %5d %5d %10d %s%s\n", n.Type, n.Mode, n.UID, n.GID, n.Size, ui.Printable(n.Path), target)
	}
	return nil
}

// Cat prints a file of an image.
func Cat(ctx context.Context, s *session.Session, path, file string) error {
	if err := session.CheckArgs(file); err != nil {
		return err
	}
	v, err := diskbuild.Volume(ctx, s, path)
	if err != nil || v == nil {
		return err
	}
	return v.Cat(ctx, file, s.Streams.Binary())
}

// Verify reads all of an image and checks every checksum.
func Verify(ctx context.Context, s *session.Session, path string) error {
	v, err := diskbuild.Volume(ctx, s, path)
	if err != nil || v == nil {
		return err
	}
	r, err := v.Verify(ctx)
	if err != nil {
		return err
	}
	space, err := v.Df(ctx)
	if err != nil {
		return err
	}
	s.Say("%s: sound; %d files, %s, %s free of %s", s.Relative(v.Image), r.Files, ui.Bytes(r.Bytes), ui.Bytes(space.Free), ui.Bytes(space.Size))
	return nil
}
