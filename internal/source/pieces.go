package source

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // git's own names
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// What the store has can go into another one in pieces, for a machine without a network. A piece has a name by which it is verified:
//
//	archive/DIGESTS                     an archive
//	crate/SHA256                        a crate
//	git/REPOSITORY.git/COMMIT/OBJECT    an object of a commit, as it is hashed: "type size\0" and its content
//	lock/KEY-SHA256                     a Cargo.lock that cargo has mended, see [Fetcher.KeepLock]

// EachPiece gives those of a source that was fetched, without its submodules, in the order of their names; below [PieceFolder] of it.
func (f *Fetcher) EachPiece(ctx context.Context, s Source, add func(name string, size int64, body io.Reader) error) error {
	switch s := s.(type) {
	case Git:
		return f.eachObject(ctx, s, add)
	case Archive:
		return f.piece(f.archiveFile(s), s.URL, s.digests(), add)
	case Crate:
		return f.piece(f.crateFile(s.SHA256), s.String(), s.digests(), add)
	}
	return nil // a folder of the user's
}

// PieceFolder is what the names of a source's pieces begin with; "" for a folder of the user's, which has none.
func (f *Fetcher) PieceFolder(s Source) string {
	switch s := s.(type) {
	case Git:
		return "git/" + filepath.Base(f.repository(s.URL)) + "/" + s.Commit
	case Archive:
		return "archive/" + s.digests().file()
	case Crate:
		return "crate/" + s.SHA256
	}
	return ""
}

func (f *Fetcher) piece(file, what string, want digests, add func(string, int64, io.Reader) error) error {
	if err := missing(file, what, want); err != nil {
		return offline(what, err)
	}
	name, err := filepath.Rel(f.Store, file)
	if err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	return add(filepath.ToSlash(name), info.Size(), in)
}

// eachObject gives the objects of a commit. What reads them checks them.
func (f *Fetcher) eachObject(ctx context.Context, s Git, add func(string, int64, io.Reader) error) error {
	c, err := f.readCommit(ctx, s)
	if err != nil {
		return err
	}
	ids := map[string]bool{s.Commit: true, c.tree: true}
	for _, e := range c.entries {
		if e.mode != gitlink {
			ids[e.id] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(ids))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends cat-file when an object is refused
	cmd := f.Git.Command(ctx, f.repository(s.URL), "cat-file", "--batch")
	cmd.Stdin = strings.NewReader(strings.Join(sorted, "\n") + "\n")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewReader(out)
	for _, id := range sorted {
		if err := f.oneObject(s, id, in, add); err != nil {
			cancel()
			_ = cmd.Wait() // its failure follows from the one we report
			return err
		}
	}
	return cmd.Wait()
}

// oneObject gives the next object that `git cat-file --batch` writes.
func (f *Fetcher) oneObject(s Git, id string, in *bufio.Reader, add func(string, int64, io.Reader) error) error {
	damaged := func(err error) error { return &DamagedError{What: s.String(), File: f.repository(s.URL), Err: err} }
	head, err := in.ReadString('\n')
	fields := strings.Fields(head)
	if err != nil || len(fields) != 3 || fields[0] != id {
		return damaged(fmt.Errorf("git cat-file gave %q for %s", strings.TrimSpace(head), id))
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return err
	}
	start := fmt.Sprintf("%s %d\x00", fields[1], size)
	h := objectHash(fields[1], size)
	body := io.MultiReader(strings.NewReader(start), io.TeeReader(io.LimitReader(in, size), h))
	if err := add(f.PieceFolder(s)+"/"+id, int64(len(start))+size, body); err != nil {
		return err
	}
	if err := checkObject(h, fields[1], id); err != nil {
		return damaged(err)
	}
	_, err = in.Discard(1)
	return err
}

// Staging takes pieces in, beside the store: they are in it when all of them are whole.
type Staging struct {
	into    *Fetcher
	from    Fetcher            // of the folder beside
	commits map[string]gitName // by repository and commit
	files   []string           // names of pieces that are files
}

type gitName struct{ repository, commit string }

// Stage begins to take pieces in. Close must be called.
func (f *Fetcher) Stage() (*Staging, error) {
	if err := os.MkdirAll(f.Store, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(f.Store, "incoming-")
	if err != nil {
		return nil, err
	}
	from := *f
	from.Store, from.Offline = dir, true
	return &Staging{into: f, from: from, commits: map[string]gitName{}}, nil
}

// Close gives the folder up.
func (s *Staging) Close() error { return os.RemoveAll(s.from.Store) }

var (
	filePieceName = regexp.MustCompile(`^(?:archive/(?:blake3-)?[0-9a-f]{64}(?:-blake3-[0-9a-f]{64})?|crate/[0-9a-f]{64}|lock/[0-9a-f]{64}-[0-9a-f]{64})$`)
	gitPieceName  = regexp.MustCompile(`^git/([A-Za-z0-9_.-]+-[0-9a-f]{16}\.git)/([0-9a-f]{40})/([0-9a-f]{40})$`)
)

// PieceError says that a piece is not what its name says, or has no name that a piece has.
type PieceError struct {
	Name string
	Err  error
}

func (e *PieceError) Error() string {
	return fmt.Sprintf("entry %q is refused (%v); nothing was taken from the file", e.Name, e.Err)
}

func (e *PieceError) Unwrap() error { return e.Err }

// Take checks a piece and keeps it beside the store.
func (s *Staging) Take(name string, body io.Reader) error {
	if m := gitPieceName.FindStringSubmatch(name); m != nil && !strings.HasPrefix(m[1], ".") {
		s.commits[m[1]+m[2]] = gitName{m[1], m[2]}
		return s.takeObject(name, m[1], m[3], body)
	}
	if !filePieceName.MatchString(name) {
		return &PieceError{name, errors.New("that is no name of a source")}
	}
	file := filepath.Join(s.from.Store, filepath.FromSlash(name))
	if err := writeOut(file, body); err != nil {
		return err
	}
	if err := missing(file, name, digestsIn(filepath.Base(file))); err != nil {
		return &PieceError{name, err}
	}
	s.files = append(s.files, name)
	return nil
}

// digestsIn are those in the name of a file in the store. The second of a lock is its own.
func digestsIn(name string) digests {
	parts := strings.Split(name, "-")
	if len(parts) == 2 && parts[0] != "blake3" {
		return digests{sha256: parts[1]}
	}
	var d digests
	if parts[0] != "blake3" {
		d.sha256 = parts[0]
	}
	if len(parts) > 1 {
		d.blake3 = parts[len(parts)-1]
	}
	return d
}

func writeOut(file string, body io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, body)
	return errors.Join(err, out.Close())
}

// takeObject writes an object as git keeps it: compressed, in a file of its own.
func (s *Staging) takeObject(name, repository, id string, body io.Reader) error {
	file := filepath.Join(s.from.Store, "git", repository, "objects", id[:2], id[2:])
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	h := sha1.New() //nolint:gosec // git's own names
	z := zlib.NewWriter(out)
	_, err = io.Copy(io.MultiWriter(h, z), body)
	if err := errors.Join(err, z.Close(), out.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != id {
		return &PieceError{name, fmt.Errorf("its content is that of %s", got)}
	}
	return nil
}

// Publish puts all pieces into the store. What is there and whole stays as it is.
func (s *Staging) Publish(ctx context.Context) error {
	repositories := map[string][]string{}
	for _, c := range s.commits {
		repositories[c.repository] = append(repositories[c.repository], c.commit)
	}
	for repository, commits := range repositories {
		slices.Sort(commits)
		if err := s.complete(ctx, repository, commits); err != nil {
			return err
		}
	}
	for repository, commits := range repositories {
		for _, commit := range commits {
			if err := s.publishCommit(ctx, repository, commit); err != nil {
				return err
			}
		}
	}
	for _, name := range s.files {
		if err := s.publishFile(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// complete makes a repository of the objects, and sees to it that nothing of the commits is missing.
func (s *Staging) complete(ctx context.Context, repository string, commits []string) error {
	repo := filepath.Join(s.from.Store, "git", repository)
	if _, err := s.from.Git.Run(ctx, "", "init", "--quiet", "--bare", repo); err != nil {
		return err
	}
	// Their parents are not here.
	if err := os.WriteFile(filepath.Join(repo, "shallow"), []byte(strings.Join(commits, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	for _, commit := range commits {
		entries, err := s.from.commitIn(ctx, repo, repository, commit)
		if err != nil {
			return &PieceError{"git/" + repository + "/" + commit, err}
		}
		for _, e := range entries.files() {
			if _, err := os.Stat(filepath.Join(repo, "objects", e.id[:2], e.id[2:])); err != nil && e.mode != gitlink {
				return &PieceError{"git/" + repository + "/" + commit + "/" + e.id, fmt.Errorf("%s is missing", e.name)}
			}
		}
		if _, err := s.from.Git.Run(ctx, repo, "update-ref", keptRef(commit), commit); err != nil {
			return err
		}
	}
	return nil
}

// publishCommit has git fetch from there, which knows best how to add to a repository.
func (s *Staging) publishCommit(ctx context.Context, repository, commit string) error {
	repo := filepath.Join(s.into.Store, "git", repository)
	if s.into.haveCommit(ctx, repo, commit) {
		if _, err := s.into.commitIn(ctx, repo, repository, commit); err == nil {
			return nil
		}
	}
	return locked(ctx, repo, func() error {
		from := filepath.Join(s.from.Store, "git", repository)
		return s.into.fetchOrMend(ctx, repo, Git{URL: from, Commit: commit}, from)
	})
}

func (s *Staging) publishFile(ctx context.Context, name string) error {
	file := filepath.Join(s.into.Store, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return s.into.keep(ctx, file, name, digestsIn(filepath.Base(file)), true, func() error {
		return errors.Join(os.Rename(filepath.Join(s.from.Store, filepath.FromSlash(name)), file), syncDir(filepath.Dir(file)))
	})
}

// KeepLock keeps a Cargo.lock that cargo has mended, under a key of what it was made from: 64 hex digits. Without a network cargo
// could not mend it again.
func (f *Fetcher) KeepLock(key string, text []byte) error {
	name := fmt.Sprintf("%s-%s", key, sha256Hex(text))
	file := filepath.Join(f.Store, "lock", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, text, 0o644)
}

// KeptLock is the Cargo.lock that is kept under a key; nil without one.
func (f *Fetcher) KeptLock(key string) ([]byte, error) {
	name, err := f.lockFile(key)
	if err != nil || name == "" {
		return nil, err
	}
	return os.ReadFile(name)
}

// EachLock gives the pieces of the Cargo.locks that are kept under some keys, in the order of their names.
func (f *Fetcher) EachLock(keys []string, add func(name string, size int64, body io.Reader) error) error {
	for _, key := range slices.Sorted(slices.Values(keys)) {
		name, err := f.lockFile(key)
		if err == nil && name != "" {
			err = f.piece(name, "a mended Cargo.lock", digestsIn(filepath.Base(name)), add)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lockFile finds the whole one.
func (f *Fetcher) lockFile(key string) (string, error) {
	dir := filepath.Join(f.Store, "lock")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), key+"-") && filePieceName.MatchString("lock/"+e.Name()) && missing(name, "", digestsIn(e.Name())) == nil {
			return name, nil
		}
	}
	return "", err
}

func sha256Hex(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
