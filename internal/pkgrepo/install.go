package pkgrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/google/renameio/v2"
	"lukechampine.com/blake3"

	"github.com/pannous/redox-clif/internal/pkgar"
)

// Change is what to do with an installed system. A package to install that is installed already is replaced.
type Change struct {
	Install []Fetched
	Remove  []Name
	// Force replaces files of other packages and files that no package owns.
	Force bool
	// Downgrade replaces packages by older ones.
	Downgrade bool
}

// Applied is what Apply did. All lists are sorted.
type Applied struct {
	Installed, Removed []Name
	// Kept are files that were changed since they were installed and therefore neither replaced nor removed.
	Kept []string
}

// Apply installs and removes packages in the system whose root is the folder root, all of it in one step, with the state files
// that the system's own package manager reads. On an error nothing has changed.
func Apply(ctx context.Context, root string, change Change, opt pkgar.ExtractOptions) (*Applied, error) {
	var applied *Applied
	err := pkgar.Update(ctx, root, opt, func(tree string) error {
		i := &installer{tree: tree, force: change.Force, owner: map[string]Name{}, old: map[string]pkgar.Entry{}, fresh: map[string]freshFile{}}
		var err error
		applied, err = i.apply(ctx, change)
		return err
	})
	if err != nil {
		return nil, err
	}
	return applied, nil
}

// installer works on a private copy of the system.
type installer struct {
	tree    string
	force   bool
	state   *State
	origins origins
	owner   map[string]Name        // files of packages that stay as they are
	old     map[string]pkgar.Entry // files of packages that go or are replaced
	fresh   map[string]freshFile   // files of packages that come
	kept    []string
}

// freshFile is a file to be installed.
type freshFile struct {
	pkgar.Entry
	name Name
}

func (i *installer) apply(ctx context.Context, change Change) (*Applied, error) {
	if err := errors.Join(i.readState(), i.readOrigins()); err != nil {
		return nil, err
	}
	if !change.Downgrade {
		if err := i.origins.check(i.state, change.Install); err != nil {
			return nil, err
		}
	}
	removed, err := i.state.Remove(change.Remove)
	if err != nil {
		return nil, err
	}
	if err := i.readHeads(removed, change.Install); err != nil {
		return nil, err
	}
	if err := i.planFiles(change.Install); err != nil {
		return nil, err
	}
	if err := i.removeOld(); err != nil {
		return nil, err
	}
	applied := &Applied{Removed: removed}
	for n := range change.Install {
		if err := i.install(ctx, &change.Install[n], n); err != nil {
			return nil, fmt.Errorf("package %s: %w", change.Install[n].Name, err)
		}
		applied.Installed = append(applied.Installed, change.Install[n].Name)
	}
	for _, name := range removed {
		if err := i.checkFolders(HeadDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := os.Remove(i.path(HeadFile(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	i.state.Add(change.Install)
	if err := i.writeOrigins(change.Install); err != nil {
		return nil, err
	}
	applied.Installed, applied.Kept = sorted(applied.Installed), i.kept
	sort.Strings(applied.Kept)
	return applied, i.write(StateFile, i.state.TOML())
}

func (i *installer) path(rel string) string { return filepath.Join(i.tree, filepath.FromSlash(rel)) }

// write replaces a file, which must not be written to: it is the same file as in the system that is in use.
func (i *installer) write(rel string, data []byte) error {
	if err := i.makeFolders(path.Dir(rel)); err != nil {
		return err
	}
	return renameio.WriteFile(i.path(rel), data, 0o644)
}

func (i *installer) readState() error {
	data, err := i.read(StateFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if i.state, err = ParseState(data); err != nil {
		return fmt.Errorf("%s: %w", StateFile, err)
	}
	return nil
}

// readHeads learns whose the files of the system are, and which of them may go.
func (i *installer) readHeads(removed []Name, install []Fetched) error {
	going := append([]Name{}, removed...)
	for n := range install {
		going = append(going, install[n].Name)
	}
	for _, name := range going {
		head, err := i.readHead(name)
		if err != nil {
			return err
		}
		for _, e := range head {
			i.old[e.Path] = e
		}
	}
	leaving := map[Name]bool{}
	for _, name := range going {
		leaving[name] = true
	}
	for _, name := range sortedKeys(i.state.Installed) {
		if leaving[name] {
			continue
		}
		head, err := i.readHead(name)
		if err != nil {
			return err
		}
		for _, e := range head {
			i.owner[e.Path] = name
		}
	}
	return nil
}

// readHead is the entries of an installed package; a metapackage, or one that is not installed, has none.
func (i *installer) readHead(name Name) ([]pkgar.Entry, error) {
	data, err := i.read(HeadFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// The signature was checked when the package was installed; the file is as trustworthy as the rest of the system.
	head, err := pkgar.ReadHead(bytes.NewReader(data), int64(len(data)), pkgar.Options{Insecure: true})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", HeadFile(name), err)
	}
	return head.Entries, nil
}

// planFiles finds files that two packages claim, and files in the way that no package owns. All of them are in the error.
func (i *installer) planFiles(install []Fetched) error {
	var conflicts []error
	for n := range install {
		f := &install[n]
		if f.IsMeta() {
			continue
		}
		a, err := f.Open()
		if err != nil {
			return fmt.Errorf("package %s: %w", f.Name, err)
		}
		for _, e := range a.Entries {
			if err := i.planFile(f.Name, e); err != nil {
				conflicts = append(conflicts, err)
			}
			i.fresh[e.Path] = freshFile{e, f.Name}
		}
		if err := a.Close(); err != nil {
			return err
		}
	}
	return joined(conflicts)
}

func (i *installer) planFile(name Name, e pkgar.Entry) error {
	if e.Path == StateFile || e.Path == OriginsFile || strings.HasPrefix(e.Path, HeadDir+"/") {
		return fmt.Errorf("%s: package %s brings a file of the package manager's state", e.Path, name)
	}
	if other, ok := i.fresh[e.Path]; ok && (other.Hash != e.Hash || other.Mode != e.Mode) {
		return fmt.Errorf("%s: packages %s and %s have different files", e.Path, other.name, name)
	}
	if i.force {
		return nil
	}
	if other, ok := i.owner[e.Path]; ok {
		return fmt.Errorf("%s: package %s has it, and package %s is installed with it", e.Path, name, other)
	}
	if _, ok := i.old[e.Path]; ok {
		return nil
	}
	hash, _, err := i.hash(e.Path)
	if err == nil && hash != e.Hash {
		return fmt.Errorf("%s: package %s has it, and there is a file that belongs to no package", e.Path, name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// hash is the hash of a file or of a link's target, as an entry states it.
func (i *installer) hash(rel string) (pkgar.Hash, fs.FileMode, error) {
	if err := i.checkFolders(path.Dir(rel)); err != nil {
		return pkgar.Hash{}, 0, err
	}
	name := i.path(rel)
	info, err := os.Lstat(name)
	if err != nil {
		return pkgar.Hash{}, 0, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(name)
		return pkgar.Hash(blake3.Sum256([]byte(to))), info.Mode(), err
	}
	if !info.Mode().IsRegular() {
		return pkgar.Hash{}, info.Mode(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return pkgar.Hash{}, 0, err
	}
	defer f.Close()
	hasher := blake3.New(32, nil)
	if _, err := io.Copy(hasher, f); err != nil {
		return pkgar.Hash{}, 0, err
	}
	return pkgar.Hash(hasher.Sum(nil)), info.Mode(), nil
}

// removeOld removes the files of packages that go, and the folders that get empty. A file that was changed stays, and if a new
// version of it would come, that is left out.
func (i *installer) removeOld() error {
	for _, p := range sortedKeys(i.old) {
		hash, _, err := i.hash(p)
		var link *LinkError
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &link) { // not there any more, whatever the link leads to
			continue
		}
		if err != nil {
			return err
		}
		_, owned := i.owner[p]
		if owned {
			continue
		}
		if hash != i.old[p].Hash {
			if fresh, ok := i.fresh[p]; !ok || fresh.Hash != hash {
				i.kept = append(i.kept, p)
			}
			delete(i.fresh, p)
			continue
		}
		if err := os.Remove(i.path(p)); err != nil {
			return err
		}
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if os.Remove(i.path(dir)) != nil { // not empty
				break
			}
		}
	}
	return nil
}

// install unpacks a package beside the tree and moves its files in.
func (i *installer) install(ctx context.Context, f *Fetched, n int) error {
	if f.IsMeta() {
		return nil
	}
	a, err := f.Open()
	if err != nil {
		return err
	}
	defer a.Close()
	scratch := filepath.Join(filepath.Dir(i.tree), fmt.Sprintf("package-%d", n))
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	if _, err := a.Unpack(ctx, scratch); err != nil {
		return err
	}
	for _, e := range a.Entries {
		if fresh, ok := i.fresh[e.Path]; !ok || fresh.name != f.Name {
			continue
		}
		if err := i.makeFolders(path.Dir(e.Path)); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(scratch, filepath.FromSlash(e.Path)), i.path(e.Path)); err != nil {
			return err
		}
	}
	return i.write(HeadFile(f.Name), a.Head.Marshal())
}

// makeFolders makes the folder rel and those above it. A link in the place of any of them is refused, see LinkError.
func (i *installer) makeFolders(rel string) error {
	if err := i.checkFolders(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for folder := range above(rel) {
		err := os.Mkdir(i.path(folder), 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = os.Chmod(i.path(folder), 0o755) // not left to the umask
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// LinkError says that a path of a package or of the system's state leads through something that is no folder. A system may come from somebody
// else, and where a link leads is decided by the host, not by the system.
type LinkError struct{ Path, Through string }

func (e *LinkError) Error() string {
	return fmt.Sprintf("%q: %q is not a folder", e.Path, e.Through)
}

// checkFolders makes sure that rel and all above it are folders; fs.ErrNotExist when one is missing.
func (i *installer) checkFolders(rel string) error {
	for folder := range above(rel) {
		info, err := os.Lstat(i.path(folder))
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return &LinkError{Path: rel, Through: folder}
		}
	}
	return nil
}

// above yields the folders on the way to rel, the topmost first, and rel itself.
func above(rel string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for at := 0; at < len(rel) && rel != "."; {
			next := strings.IndexByte(rel[at:], '/')
			if next < 0 {
				next = len(rel) - at
			}
			if !yield(rel[:at+next]) {
				return
			}
			at += next + 1
		}
	}
}

// read reads a file of the package manager's state; fs.ErrNotExist when there is none.
func (i *installer) read(rel string) ([]byte, error) {
	if err := i.checkFolders(path.Dir(rel)); err != nil {
		return nil, err
	}
	info, err := os.Lstat(i.path(rel))
	if err == nil && !info.Mode().IsRegular() {
		err = &LinkError{Path: rel, Through: rel}
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(i.path(rel))
}
