package rustbuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/patch"
)

// A lasting source is patched again and again. Cargo goes by the times of files, so a file is written only when its
// content changes, and for each file that was ever changed there is a copy of how the archive had it. The copy
// is made before the file is touched: whenever a run is killed, the copies and the archive's other files are
// the archive.

// originals is the tree of the archive below a source that is patched.
type originals struct {
	source patch.Tree // the source as it is
	dir    string     // copies of changed files, the same paths
	absent map[string]bool
}

// absentFile lists the files that are in the source and not in the archive.
const absentFile = "absent.json"

func openOriginals(source patch.Tree, dir string) (*originals, error) {
	o := &originals{source: source, dir: dir, absent: map[string]bool{}}
	data, err := os.ReadFile(filepath.Join(dir, absentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	return o, json.Unmarshal(data, &o.absent)
}

func (o *originals) path(name string) string {
	return filepath.Join(o.dir, "files", filepath.FromSlash(name))
}

// ReadFile implements patch.Tree.
func (o *originals) ReadFile(name string) (patch.File, error) {
	if o.absent[name] {
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	info, err := os.Lstat(o.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o.source.ReadFile(name)
	case err != nil:
		return patch.File{}, err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(o.path(name))
		return patch.File{Data: []byte(target), Link: true}, err
	}
	data, err := os.ReadFile(o.path(name))
	return patch.File{Data: data, Executable: info.Mode()&0o111 != 0}, err
}

// List implements patch.Tree: patches ask for it only to name what resembles a file that is not there.
func (o *originals) List() ([]string, error) { return o.source.List() }

// touched are the files that differ from the archive or did once.
func (o *originals) touched() ([]string, error) {
	var names []string
	for name := range o.absent {
		names = append(names, name)
	}
	root := filepath.Join(o.dir, "files")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() {
			names = append(names, filepath.ToSlash(strings.TrimPrefix(p, root+string(filepath.Separator))))
		}
		return err
	})
	slices.Sort(names)
	return names, err
}

// keep copies a file before it is changed for the first time.
func (o *originals) keep(name string) error {
	if o.absent[name] || exists(o.path(name)) {
		return nil
	}
	f, err := o.source.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		o.absent[name] = true
		data, err := json.Marshal(o.absent)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			return err
		}
		return renameio.WriteFile(filepath.Join(o.dir, absentFile), data, 0o644)
	}
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if f.Executable {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(o.path(name)), 0o755); err != nil {
		return err
	}
	if f.Link {
		return renameio.Symlink(string(f.Data), o.path(name))
	}
	return renameio.WriteFile(o.path(name), f.Data, mode)
}

// patched is the archive with the series applied, in memory over the originals.
type patched struct {
	*patch.Overlay
	base   *originals
	forget func(name string) error // called before a file is written or removed
}

// Patched is what applying patches did.
type Patched struct {
	Written  []string // the slash paths that had to be written
	compiler string   // digest of what is changed outside of the Cranelift backend, written now or before
}

// ApplyPatches brings the source to the archive's state with the series applied. opts is for unified diffs.
func ApplyPatches(ctx context.Context, source, kept string, series []*patch.Series, opts patch.Options) (*Patched, error) {
	tree, err := patch.OpenDir(source)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	base, err := openOriginals(tree, kept)
	if err != nil {
		return nil, err
	}
	want := &patched{Overlay: patch.NewOverlay(base), base: base, forget: newForgetting(filepath.Join(source, "build")).file}
	for _, s := range series {
		if _, err := patch.Apply(ctx, s, want, opts); err != nil {
			return nil, fmt.Errorf("patches/%s: %w", s.Name, err)
		}
	}
	if err := want.fixChecksums(); err != nil {
		return nil, err
	}
	names, err := base.touched()
	if err != nil {
		return nil, err
	}
	for name := range want.Changed {
		names = append(names, name)
	}
	slices.Sort(names)
	done := &Patched{compiler: want.compilerDigest()}
	for _, name := range slices.Compact(names) {
		wrote, err := want.bring(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if wrote {
			done.Written = append(done.Written, name)
		}
	}
	return done, nil
}

// bring makes one file of the source what it should be.
func (p *patched) bring(name string) (wrote bool, err error) {
	want, err := p.ReadFile(name)
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return false, err
	}
	is, err := p.base.source.ReadFile(name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return false, err
	}
	if gone && missing || !gone && !missing && bytes.Equal(want.Data, is.Data) && want.Executable == is.Executable && want.Link == is.Link {
		return false, nil
	}
	if err := p.base.keep(name); err != nil {
		return false, err
	}
	if err := p.forget(name); err != nil {
		return false, err
	}
	if gone {
		return true, p.base.source.Remove(name)
	}
	return true, p.base.source.WriteFile(name, want)
}

const (
	vendorFolder  = "vendor/"
	checksumsFile = ".cargo-checksum.json"
)

// fixChecksums makes cargo accept vendored files that were patched: it compares them with the list beside
// the crate's manifest.
func (p *patched) fixChecksums() error {
	changed := map[string]map[string]*patch.File{} // by the list's path, then by path in the crate
	for name, f := range p.Changed {
		rest, ok := strings.CutPrefix(name, vendorFolder)
		crate, file, inside := strings.Cut(rest, "/")
		if !ok || !inside || file == checksumsFile {
			continue
		}
		list := path.Join(vendorFolder, crate, checksumsFile)
		if changed[list] == nil {
			changed[list] = map[string]*patch.File{}
		}
		changed[list][file] = f
	}
	for list, files := range changed {
		if err := p.fixList(list, files); err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
	}
	return nil
}

func (p *patched) fixList(list string, files map[string]*patch.File) error {
	f, err := p.ReadFile(list)
	if err != nil {
		return err
	}
	var checksums map[string]json.RawMessage
	if err := json.Unmarshal(f.Data, &checksums); err != nil {
		return err
	}
	var sums map[string]string
	if err := json.Unmarshal(checksums["files"], &sums); err != nil {
		return err
	}
	for name, file := range files {
		if file == nil {
			delete(sums, name)
			continue
		}
		sum := sha256.Sum256(file.Data)
		sums[name] = hex.EncodeToString(sum[:])
	}
	if checksums["files"], err = json.Marshal(sums); err != nil {
		return err
	}
	if f.Data, err = json.Marshal(checksums); err != nil {
		return err
	}
	return p.WriteFile(list, f)
}
