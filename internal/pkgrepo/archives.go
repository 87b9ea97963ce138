package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/pkgar"
)

// Archives are the verified archives in a cache. The bytes of an archive are a blob of a content-addressed store; a reference, a
// small file that is named by entry table and key, says which. When it was used last is the time of that file.
type Archives struct {
	Store *cas.Store
	Dir   string // of references and partial downloads
}

const (
	refSuffix  = ".ref"
	partSuffix = ".part"
)

// archiveName says what an archive has to be: its entry table and who signed it.
func archiveName(hash pkgar.Hash, key pkgar.PublicKey) string {
	return fmt.Sprintf("%v-%.16s", hash, key.String())
}

func (a Archives) refs() string              { return filepath.Join(a.Dir, "archives") }
func (a Archives) refOf(name string) string  { return filepath.Join(a.refs(), name+refSuffix) }
func (a Archives) parts() string             { return filepath.Join(a.Dir, "partial") }
func (a Archives) partOf(name string) string { return filepath.Join(a.parts(), name+partSuffix) }

// path is where the archive of that name lies, and "" if there is none. A reference that leads nowhere is removed.
func (a Archives) path(name string) (string, error) {
	ref, err := readRef(a.refOf(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var path string
	if err == nil {
		path, err = a.Store.Path(ref.Blob)
	}
	if err != nil {
		return "", ref.Forget()
	}
	now := time.Now()
	_ = os.Chtimes(ref.file, now, now) // a cache that cannot be written to can be read all the same
	return path, nil
}

// put stores a verified file under a name and returns where it lies.
func (a Archives) put(ctx context.Context, name, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	blob, err := a.Store.Put(ctx, f)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(a.refs(), 0o755); err != nil {
		return "", err
	}
	if err := renameio.WriteFile(a.refOf(name), []byte(blob.String()+"\n"), 0o644); err != nil {
		return "", err
	}
	return a.Store.Path(blob)
}

// forget removes an archive that turned out to be damaged.
func (a Archives) forget(name string) error {
	ref, err := readRef(a.refOf(name))
	if err == nil {
		err = a.Store.Remove(ref.Blob)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, ref.Forget())
}

// Reference is one archive in the cache.
type Reference struct {
	Blob cas.Digest // zero if the reference cannot be read
	Used time.Time
	file string
}

// Name is the hash of the archive's entry table and the beginning of its key, both in hexadecimal.
func (r Reference) Name() string { return strings.TrimSuffix(filepath.Base(r.file), refSuffix) }

// Forget removes the reference. The blob stays until it is collected.
func (r Reference) Forget() error {
	if err := os.Remove(r.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func readRef(file string) (Reference, error) {
	r := Reference{file: file}
	info, err := os.Stat(file)
	if err != nil {
		return r, err
	}
	r.Used = info.ModTime()
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	r.Blob, err = cas.ParseDigest(strings.TrimSpace(string(text)))
	return r, err
}

// References lists all archives. A reference that cannot be read has no Blob.
func (a Archives) References() ([]Reference, error) {
	files, err := globdir.In(a.refs(), "*"+refSuffix)
	if err != nil {
		return nil, err
	}
	var list []Reference
	for _, file := range files {
		r, err := readRef(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // collected meanwhile
		}
		list = append(list, r)
	}
	return list, nil
}

// Partial is a download that did not come to its end and can be resumed.
type Partial struct {
	Size int64
	Used time.Time
	file string
}

// Partials lists the downloads that did not come to their ends, those under way included.
func (a Archives) Partials() ([]Partial, error) {
	files, err := globdir.In(a.parts(), "*"+partSuffix)
	if err != nil {
		return nil, err
	}
	var list []Partial
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			continue // just completed
		}
		list = append(list, Partial{Size: info.Size(), Used: info.ModTime(), file: file})
	}
	return list, nil
}

// Remove throws a partial download away; false if it is under way.
func (p Partial) Remove() (bool, error) {
	lock, err := lockfile.Try(p.file)
	if lock == nil || err != nil {
		return false, err
	}
	lock.ReleaseAndRemove()
	return true, nil
}
