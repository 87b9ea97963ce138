package diskbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/session"
)

// Working is an image that one process has for itself, for one guest after the other: it is brought up to date in its place, by what has changed.
// It is not verified, and not what the same contents make elsewhere.
type Working struct {
	Path string

	has    map[string]placed
	loader stamp
}

// placed is what a path of the image holds.
type placed struct {
	op   redoxfs.Op
	from stamp
}

// stamp is a file of the host as it was: exports leave alone what is equal.
type stamp struct{ size, nanoseconds int64 }

// Update makes the image that of a description and what was built for it.
func (w *Working) Update(ctx context.Context, s *session.Session, d *disk.Description, b *Parts) error {
	contents, err := d.Contents(ctx, b.Resolve)
	if err != nil {
		return err
	}
	contents, done, err := withPackages(ctx, s, d, contents)
	if err != nil {
		return err
	}
	defer done()
	has, err := stamped(contents)
	if err != nil {
		return err
	}
	job := &disk.Build{Tool: b.Tool, Description: d, Contents: contents}
	loader := stamp{}
	if d.Boot.Loader != "" {
		if job.Loader, err = b.SingleFile(ctx, d.Boot.Loader); err != nil {
			return fmt.Errorf("loader %q: %w", d.Boot.Loader, err)
		}
		job.LoaderName = LoaderName(s.Config.Target)
		if loader, err = stampOf(job.Loader); err != nil {
			return err
		}
	}
	ops, ok := changes(w.has, has)
	if ok = ok && loader == w.loader; ok && len(ops) > 0 {
		ok = w.apply(ctx, b.Tool, ops) == nil
	}
	w.has, w.loader = nil, stamp{} // until it is made
	if err := ctx.Err(); err != nil {
		return err
	}
	if !ok {
		if err := w.make(ctx, job); err != nil {
			return err
		}
	}
	w.has, w.loader = has, loader
	return nil
}

// apply changes the image in its place. Whatever goes wrong, it is made anew.
func (w *Working) apply(ctx context.Context, tool string, ops []redoxfs.Op) error {
	v, err := disk.Volume(tool, w.Path)
	if err != nil {
		return err
	}
	_, err = v.Apply(ctx, ops, redoxfs.ApplyOptions{NoSync: true})
	return err
}

func (w *Working) make(ctx context.Context, job *disk.Build) error {
	if err := os.Remove(w.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err := job.Make(ctx, w.Path)
	return err
}

func stampOf(file string) (stamp, error) {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.Size(), info.ModTime().UnixNano()}, nil
}

func stamped(contents []redoxfs.Op) (map[string]placed, error) {
	has := map[string]placed{}
	for _, op := range contents {
		p := placed{op: op}
		if op.From != "" {
			var err error
			if p.from, err = stampOf(op.From); err != nil {
				return nil, err
			}
		}
		has[op.Path] = p
	}
	return has, nil
}

// changes are the operations that lead from one content to another. ok is false where another image is the shorter way: only files change
// in the place of files.
func changes(was, is map[string]placed) (ops []redoxfs.Op, ok bool) {
	if was == nil {
		return nil, false
	}
	for path, p := range is {
		old, had := was[path]
		if !had || old.op.Op != p.op.Op {
			return nil, false
		}
		if reflect.DeepEqual(old, p) {
			continue
		}
		if p.op.Op != redoxfs.OpFile {
			return nil, false
		}
		ops = append(ops, p.op)
	}
	slices.SortFunc(ops, func(a, b redoxfs.Op) int { return strings.Compare(a.Path, b.Path) })
	return ops, len(was) == len(is)
}
