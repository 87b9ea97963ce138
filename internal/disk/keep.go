package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

// Blessed is the name of an image's known good copy: pure-rust.works.img beside pure-rust.img.
func Blessed(image string) string {
	return strings.TrimSuffix(image, ".img") + ".works.img"
}

// manifestOf lists the files of a blessed image.
func manifestOf(blessed string) string { return strings.TrimSuffix(blessed, ".img") + ".json" }

// ErrNotBlessed says that there is no known good image to go back to.
var ErrNotBlessed = errors.New("no image was blessed yet")

// Bless verifies the image and keeps a read-only copy as the known good one, with a manifest of every file. The
// copy shares the image's blocks where the file system can.
func (e *Editor) Bless(ctx context.Context) (redoxfs.Report, error) {
	v, err := volume(e.Tool, e.Path)
	if err != nil {
		return redoxfs.Report{}, err
	}
	report, err := v.Verify(ctx)
	if err != nil {
		return report, fmt.Errorf("%s is not fit to be the known good image: %w", e.Path, err)
	}
	list, err := v.Tree(ctx, "/", true)
	if err != nil {
		return report, err
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return report, err
	}
	blessed := Blessed(e.Path)
	other := &Editor{Tool: e.Tool, Path: blessed}
	if err := other.ready(ctx); err != nil {
		return report, err
	}
	err = other.replace(ctx, func(tmp string) error { return clone(ctx, e.Path, tmp, 0o444) })
	if err != nil {
		return report, err
	}
	return report, renameio.WriteFile(manifestOf(blessed), append(text, '\n'), 0o644)
}

// Restore brings the whole known good image back. The image before becomes a snapshot.
func (e *Editor) Restore(ctx context.Context) error {
	blessed, err := e.blessed(ctx)
	if err != nil {
		return err
	}
	return e.restoreFrom(ctx, blessed.Image)
}

// RestoreSnapshot brings a snapshot back, by its name as in Snapshots.
func (e *Editor) RestoreSnapshot(ctx context.Context, name string) error {
	from := filepath.Join(e.snapshotDir(), filepath.Base(name))
	v, err := volume(e.Tool, from)
	if err != nil {
		return err
	}
	if _, err := v.Verify(ctx); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return e.restoreFrom(ctx, from)
}

func (e *Editor) restoreFrom(ctx context.Context, from string) error {
	return e.replace(ctx, func(tmp string) error {
		if err := clone(ctx, from, tmp, 0o644); err != nil {
			return err
		}
		return e.snapshot()
	})
}

// blessed opens the known good image and makes sure that it is still good.
func (e *Editor) blessed(ctx context.Context) (redoxfs.Volume, error) {
	blessed := Blessed(e.Path)
	if _, err := os.Stat(blessed); errors.Is(err, fs.ErrNotExist) {
		return redoxfs.Volume{}, ErrNotBlessed
	}
	v, err := volume(e.Tool, blessed)
	if err != nil {
		return v, err
	}
	if _, err := v.Verify(ctx); err != nil {
		return v, fmt.Errorf("the known good image is not good any more: %s: %w", blessed, err)
	}
	return v, nil
}

// RestorePaths brings single files and trees of the known good image back, with mode, owner and times.
// What it does not have is removed. Everything else stays as it is.
func (e *Editor) RestorePaths(ctx context.Context, paths []string) error {
	good, err := e.blessed(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(e.Path), filepath.Base(e.beside("restore-*")))
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var ops []redoxfs.Op
	for i, p := range paths {
		p = path.Join("/", p)
		if p == "/" {
			return errors.New("the whole root is restored by image:restore without a path")
		}
		more, err := restoreOps(ctx, good, p, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return err
		}
		ops = append(ops, more...)
	}
	return e.Edit(ctx, ops)
}

func restoreOps(ctx context.Context, good redoxfs.Volume, p, to string) ([]redoxfs.Op, error) {
	ops := []redoxfs.Op{{Op: redoxfs.OpRemove, Path: p, Recursive: true, MayLack: true}}
	list, err := good.Get(ctx, p, to)
	if redoxfs.KindOf(err) == redoxfs.NotFound {
		return ops, nil
	}
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		op := redoxfs.Op{Path: n.Path, Mode: &n.Mode, UID: &n.UID, GID: &n.GID, MTime: &n.MTime, MTimeNsec: &n.MTimeNsec}
		switch n.Type {
		case "dir":
			op.Op = redoxfs.OpDir
		case "file":
			op.Op, op.From = redoxfs.OpFile, filepath.Join(to, filepath.FromSlash(strings.TrimPrefix(n.Path, p)))
		case "link":
			op.Op, op.Target = redoxfs.OpLink, n.Target
		default:
			continue // sockets live as long as the guest
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// Snapshot is an image as it was before a change.
type Snapshot struct {
	Name string
	When time.Time
	Size int64 // bytes it takes on the disk
}

func (e *Editor) snapshotDir() string {
	return filepath.Join(filepath.Dir(e.Path), "snapshots", strings.TrimSuffix(filepath.Base(e.Path), ".img"))
}

// snapshotTime names snapshots so that their order is that of time.
const snapshotTime = "20060102-150405.000000"

// snapshot gives the image a second name, which keeps it when a new one takes its place: no copy is needed, because an image is
// never written to. Older ones than Keep are removed.
func (e *Editor) snapshot() error {
	if _, err := os.Stat(e.Path); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was there before
	}
	if err := os.MkdirAll(e.snapshotDir(), 0o755); err != nil {
		return err
	}
	name := filepath.Join(e.snapshotDir(), time.Now().UTC().Format(snapshotTime)+".img")
	if err := os.Link(e.Path, name); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if e.Keep == 0 {
		return nil
	}
	_, err := e.Prune(e.Keep)
	return err
}

// dropUnfinishedSnapshot removes a snapshot that is the image itself: a run was killed after it had named the
// snapshot and before it replaced the image. A guest that writes to the image would change it.
func (e *Editor) dropUnfinishedSnapshot(image fs.FileInfo) error {
	all, err := e.Snapshots()
	for _, s := range all {
		file := filepath.Join(e.snapshotDir(), s.Name)
		if info, statErr := os.Stat(file); statErr == nil && os.SameFile(info, image) {
			err = errors.Join(err, os.Remove(file))
		}
	}
	return err
}

// Snapshots lists those of an image, newest first, whoever has it open.
func Snapshots(path string) ([]Snapshot, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return (&Editor{Path: path}).Snapshots()
}

// Snapshots lists them, newest first.
func (e *Editor) Snapshots() ([]Snapshot, error) {
	entries, err := os.ReadDir(e.snapshotDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Snapshot
	for _, entry := range entries {
		when, err := time.Parse(snapshotTime+".img", entry.Name())
		info, statErr := entry.Info()
		if err != nil || statErr != nil {
			continue // not ours
		}
		out = append(out, Snapshot{entry.Name(), when, allocated(info)})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name > out[j].Name })
	return out, nil
}

// Prune removes all snapshots but the newest ones and returns the names of those removed.
func (e *Editor) Prune(keep int) ([]string, error) {
	all, err := e.Snapshots()
	if err != nil || keep >= len(all) {
		return nil, err
	}
	var gone []string
	for _, s := range all[keep:] {
		if err := os.Remove(filepath.Join(e.snapshotDir(), s.Name)); err != nil {
			return gone, err
		}
		gone = append(gone, s.Name)
	}
	return gone, nil
}
