package toolchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/globdir"
)

// Identity is what a toolchain is by content: two directories with the same
// Digest compile the same bytes, wherever they are.
type Identity struct {
	// Digest is the SHA-256, in hexadecimal, over the sorted lines
	// "<sha256> <path>\n" of Files.
	Digest string `json:"digest"`
	// Files are the SHA-256 digests by slash path in the toolchain: programs,
	// the compiler's libraries, codegen backends, the LLVM tools, and one
	// digest each for two folders, computed in the same way over their files:
	// rust-src and the host's standard library. The LLVM library of a
	// distribution that tools are linked from goes by "llvm/<name>".
	Files map[string]string `json:"files"`

	looked []string
}

// Looked are the paths of the files and folders that the identity was made from, or was held to where it was known.
func (i *Identity) Looked() []string { return i.looked }

// sourceKey stands for all of rust-src.
const sourceKey = "lib/rustlib/src/rust/library"

// stdKey stands for the host's standard library, which build scripts and proc
// macros are linked with.
func (t *Toolchain) stdKey() string { return "lib/rustlib/" + t.Host + "/lib" }

// Identify computes the identity, or takes it from cacheDir when no file's
// size, times or inode changed since it was computed there. Warm it costs one
// stat per file (some 2,500, under 15 ms); cold it reads them all (about half
// a gigabyte). An unusable cache is computed anew and never an error, except
// when it cannot be written.
func (t *Toolchain) Identify(ctx context.Context, cacheDir string) (*Identity, error) {
	found, err := t.list()
	if err != nil {
		return nil, fmt.Errorf("identify the toolchain in %s: %w", t.Dir, err)
	}
	stamp, err := stampOf(found.files)
	if err != nil {
		return nil, fmt.Errorf("identify the toolchain in %s: %w", t.Dir, err)
	}
	path := t.identityPath(cacheDir)
	if known := readIdentity(path, stamp); known != nil {
		known.looked = t.lookedAt(found)
		return known, nil
	}
	identity, err := hashAll(ctx, found.files)
	if err != nil {
		return nil, fmt.Errorf("identify the toolchain in %s: %w", t.Dir, err)
	}
	identity.looked = t.lookedAt(found)
	if err := writeIdentity(path, stamp, identity); err != nil {
		return nil, fmt.Errorf("keep the identity of %s: %w", t.Dir, err)
	}
	return identity, nil
}

// identityPath is one cache file per directory.
func (t *Toolchain) identityPath(cacheDir string) string {
	sum := sha256.Sum256([]byte(t.Dir))
	return filepath.Join(cacheDir, "toolchain-"+hex.EncodeToString(sum[:8])+".json")
}

// part is one file that belongs to the identity.
type part struct {
	name  string // slash path in the toolchain
	path  string // where it is, links not yet followed
	group string // the folder it is counted under, or empty
	// stat is what its folder said of it while it was listed, or nil.
	stat *unix.Stat_t
}

// listing is the parts that were found, and the folders that were read to find them.
type listing struct {
	files   []part
	folders []string
}

// lookedAt are the paths of a listing, with the folders around each file of the toolchain's own.
func (t *Toolchain) lookedAt(found listing) []string {
	looked := slices.Clone(found.folders)
	around := map[string]bool{}
	for _, f := range found.files {
		looked = append(looked, f.path)
		for dir := filepath.Dir(f.path); !around[dir]; dir = filepath.Dir(dir) {
			around[dir] = true
			if dir == t.Dir || !strings.HasPrefix(dir, t.Dir) {
				break
			}
		}
	}
	return slices.AppendSeq(looked, maps.Keys(around))
}

// Files lists what of the toolchain is needed to compile, by slash path in it, with where each file is: all that is in its identity, without
// the libraries of a distribution.
func (t *Toolchain) Files() (map[string]string, error) {
	found, err := t.list()
	all := map[string]string{}
	for _, p := range found.files {
		if strings.HasPrefix(p.path, t.Dir+string(filepath.Separator)) {
			all[p.name] = p.path
		}
	}
	return all, err
}

// list finds the parts, sorted by name.
func (t *Toolchain) list() (listing, error) {
	var parts []part
	var folders []string
	add := func(pattern, group string) error {
		folders = append(folders, filepath.Dir(filepath.Join(t.Dir, filepath.FromSlash(pattern))))
		found, err := globdir.In(t.Dir, pattern)
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				parts = append(parts, t.part(path, group))
			}
		}
		return err
	}
	rustlib := "lib/rustlib/" + t.Host
	for _, pattern := range []string{
		"bin/rustc", "bin/cargo", "lib/*.so*", "lib/*.dylib", rustlib + "/bin/*", rustlib + "/bin/gcc-ld/*",
		rustlib + "/codegen-backends/*",
	} {
		if err := add(pattern, ""); err != nil {
			return listing{}, err
		}
	}
	for _, pattern := range []string{t.stdKey() + "/*", t.stdKey() + "/self-contained/*"} {
		if err := add(pattern, t.stdKey()); err != nil {
			return listing{}, err
		}
	}
	var group errgroup.Group
	var foreign, sources listing
	group.Go(func() error {
		foreign = t.foreignLLVM()
		return nil
	})
	group.Go(func() (err error) {
		sources, err = t.sourceFiles()
		return err
	})
	if err := group.Wait(); err != nil {
		return listing{}, err
	}
	parts = slices.Concat(parts, foreign.files, sources.files)
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return listing{parts, slices.Concat(folders, foreign.folders, sources.folders)}, nil
}

// sourceFiles lists rust-src, its crates side by side: on a warm cache walking
// them is most of what Identify does.
func (t *Toolchain) sourceFiles() (listing, error) {
	if t.Library == "" {
		return listing{}, nil
	}
	crates, err := os.ReadDir(t.Library)
	if err != nil {
		return listing{}, err
	}
	found := make([]listing, len(crates))
	var group errgroup.Group
	for i, crate := range crates {
		group.Go(func() error {
			path := filepath.Join(t.Library, crate.Name())
			if !crate.IsDir() {
				found[i].files = []part{t.part(path, sourceKey)}
				return nil
			}
			return t.filesBelow(path, &found[i])
		})
	}
	if err := group.Wait(); err != nil {
		return listing{}, err
	}
	all := listing{folders: []string{t.Library}}
	for _, one := range found {
		all.files, all.folders = append(all.files, one.files...), append(all.folders, one.folders...)
	}
	return all, nil
}

// filesBelow lists the files of a folder of rust-src and what stat says of them: a name in an open folder is found
// in half the time that its path takes.
func (t *Toolchain) filesBelow(dir string, into *listing) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	into.folders = append(into.folders, dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if err := t.filesBelow(path, into); err != nil {
				return err
			}
			continue
		}
		p := t.part(path, sourceKey)
		p.stat = &unix.Stat_t{}
		if err := unix.Fstatat(int(f.Fd()), e.Name(), p.stat, 0); err != nil {
			return &fs.PathError{Op: "stat", Path: path, Err: err}
		}
		into.files = append(into.files, p)
	}
	return nil
}

func (t *Toolchain) part(path, group string) part {
	name := strings.TrimPrefix(path, t.Dir+string(filepath.Separator))
	return part{name: filepath.ToSlash(name), path: path, group: group}
}

// stampOf is a digest of everything stat tells about the files' content, and of how they are grouped, which the
// identity depends on as well. The
// change time is in it because unpacked toolchains carry a made-up
// modification time.
func stampOf(files []part) (string, error) {
	const chunk = 512
	lines := make([][]byte, (len(files)+chunk-1)/chunk)
	var group errgroup.Group
	at := 0
	for rest := range slices.Chunk(files, chunk) {
		into := &lines[at]
		group.Go(func() (err error) {
			*into, err = statLines(rest)
			return err
		})
		at++
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	sum := sha256.Sum256(bytes.Join(lines, nil))
	return hex.EncodeToString(sum[:]), nil
}

func statLines(files []part) ([]byte, error) {
	var text []byte
	for _, file := range files {
		stat := file.stat
		if stat == nil {
			stat = &unix.Stat_t{}
			if err := unix.Stat(file.path, stat); err != nil {
				return nil, &fs.PathError{Op: "stat", Path: file.path, Err: err}
			}
		}
		text = append(text, file.group...)
		text = append(append(text, ' '), file.name...)
		for _, number := range []int64{
			stat.Size, int64(stat.Ino), int64(stat.Mtim.Sec), int64(stat.Mtim.Nsec), int64(stat.Ctim.Sec), int64(stat.Ctim.Nsec),
		} {
			text = strconv.AppendInt(append(text, ' '), number, 10)
		}
		text = append(text, '\n')
	}
	return text, nil
}

// cached is the cache file.
type cached struct {
	Stamp    string    `json:"stamp"`
	Identity *Identity `json:"identity"`
}

func readIdentity(path, stamp string) *Identity {
	data, err := atomicfile.ReadSummed(path)
	if err != nil {
		return nil
	}
	var known cached
	if json.Unmarshal(data, &known) != nil || known.Stamp != stamp || known.Identity == nil || !isHex(known.Identity.Digest, 64) {
		return nil
	}
	return known.Identity
}

func writeIdentity(path, stamp string, identity *Identity) error {
	data, err := json.MarshalIndent(cached{stamp, identity}, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteSummed(path, append(data, '\n'), 0o644)
}

// hashAll reads every file, two at a time.
func hashAll(ctx context.Context, files []part) (*Identity, error) {
	sums := make([]string, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i, file := range files {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			sum, err := hashFile(file.path)
			sums[i] = sum
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	identity := &Identity{Files: map[string]string{}}
	groups := map[string]map[string]string{}
	for i, file := range files {
		if file.group == "" {
			identity.Files[file.name] = sums[i]
			continue
		}
		if groups[file.group] == nil {
			groups[file.group] = map[string]string{}
		}
		groups[file.group][strings.TrimPrefix(file.name, file.group+"/")] = sums[i]
	}
	for group, members := range groups {
		identity.Files[group] = digestOf(members)
	}
	identity.Digest = digestOf(identity.Files)
	return identity, nil
}

func digestOf(files map[string]string) string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		fmt.Fprintf(all, "%s %s\n", files[name], name)
	}
	return hex.EncodeToString(all.Sum(nil))
}

func hashFile(path string) (sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	all := sha256.New()
	if _, err := io.Copy(all, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
