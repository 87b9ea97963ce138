package source

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // git's own names
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"path"
	"strings"

	"github.com/pannous/redox-clif/internal/git"
)

// git believes what is in its own store: `git cat-file` gives the bytes of an object without a look at its name. So the
// names are computed here, of the commit, of every tree and, while they are written out, of the blobs. Trees and commits are
// hashed as "type size\0" and their content; a tree is "mode name\0" and 20 bytes for each entry (gitformat-pack, git-hash-object).

// gitlink is the mode of a submodule's place in a tree.
const gitlink = "160000"

// treeEntry is a line of a listing; name is the path from the top.
type treeEntry struct{ mode, kind, id, name string }

// gitCommit is a commit whose objects are what their names say, but for its blobs.
type gitCommit struct {
	raw     []byte // the commit's own object
	tree    string // its id
	entries []treeEntry
}

// files are the entries that are no folders.
func (c *gitCommit) files() []treeEntry {
	var files []treeEntry
	for _, e := range c.entries {
		if e.kind != "tree" {
			files = append(files, e)
		}
	}
	return files
}

// readCommit lists a commit. What the store has of it may be a *DamagedError.
func (f *Fetcher) readCommit(ctx context.Context, s Git) (*gitCommit, error) {
	return f.commitIn(ctx, f.repository(s.URL), s.String(), s.Commit)
}

// commitIn lists a commit of a repository of the store; what is its name for people.
func (f *Fetcher) commitIn(ctx context.Context, repo, what, id string) (*gitCommit, error) {
	damaged := func(err error) error {
		var failed *git.Error
		if ctx.Err() != nil || errors.Is(err, context.Canceled) {
			return err
		}
		if errors.As(err, &failed) {
			err = errors.New(git.Explanation(failed.Message))
		}
		return &DamagedError{What: what, File: repo, Err: err}
	}
	raw, err := f.object(ctx, repo, "commit", id)
	if err != nil {
		return nil, damaged(err)
	}
	c := &gitCommit{raw: raw}
	first, _, _ := strings.Cut(string(raw), "\n")
	c.tree = strings.TrimPrefix(first, "tree ")
	list, err := f.Git.Run(ctx, repo, "ls-tree", "-r", "-t", "-z", "--full-tree", c.tree)
	if err != nil {
		return nil, damaged(err)
	}
	if c.entries, err = parseTree(list); err == nil {
		err = checkTrees(c.tree, c.entries)
	}
	if err != nil {
		return nil, damaged(err)
	}
	return c, nil
}

// object is the content of an object that is small enough to be held, checked.
func (f *Fetcher) object(ctx context.Context, repo, kind, id string) ([]byte, error) {
	cmd := f.Git.Command(ctx, repo, "cat-file", kind, id)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, git.Explanation(problems.String()))
	}
	h := objectHash(kind, int64(out.Len()))
	h.Write(out.Bytes())
	return out.Bytes(), checkObject(h, kind, id)
}

// objectHash is the beginning of an object's name.
func objectHash(kind string, size int64) hash.Hash {
	h := sha1.New() //nolint:gosec // git's own names
	fmt.Fprintf(h, "%s %d\x00", kind, size)
	return h
}

func checkObject(h hash.Hash, kind, id string) error {
	if got := hex.EncodeToString(h.Sum(nil)); got != id {
		return fmt.Errorf("%s %s has the content of %s", kind, id, got)
	}
	return nil
}

// checkTrees makes the tree objects of a listing anew and compares their names, the top's first.
func checkTrees(top string, entries []treeEntry) error {
	ids := map[string]string{".": top}
	trees := map[string]*bytes.Buffer{".": {}}
	order := []string{"."}
	for _, e := range entries {
		of := trees[path.Dir(e.name)]
		id, err := hex.DecodeString(e.id)
		if of == nil || err != nil {
			return fmt.Errorf("entry %q is in no tree", e.name)
		}
		fmt.Fprintf(of, "%s %s\x00%s", strings.TrimLeft(e.mode, "0"), path.Base(e.name), id)
		if e.kind == "tree" {
			ids[e.name], trees[e.name] = e.id, &bytes.Buffer{}
			order = append(order, e.name)
		}
	}
	for _, dir := range order {
		h := objectHash("tree", int64(trees[dir].Len()))
		h.Write(trees[dir].Bytes())
		if err := checkObject(h, "tree", ids[dir]); err != nil {
			return err
		}
	}
	return nil
}

// parseTree reads "mode type id\tname\0" records.
func parseTree(list string) ([]treeEntry, error) {
	var entries []treeEntry
	for record := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		if record == "" {
			continue // an empty tree
		}
		meta, name, ok := strings.Cut(record, "\t")
		fields := strings.Fields(meta)
		if !ok || len(fields) != 3 {
			return nil, fmt.Errorf("git ls-tree gave %q", record)
		}
		entries = append(entries, treeEntry{fields[0], fields[1], fields[2], name})
	}
	return entries, nil
}

// Gitlinks are the commits of the submodules of a repository that was fetched, by their paths.
func (f *Fetcher) Gitlinks(ctx context.Context, s Git) (map[string]string, error) {
	c, err := f.readCommit(ctx, s)
	if err != nil {
		return nil, err
	}
	links := map[string]string{}
	for _, e := range c.entries {
		if e.mode == gitlink {
			links[e.name] = e.id
		}
	}
	return links, nil
}

// refetch fetches what is damaged in the store.
func (f *Fetcher) refetch(ctx context.Context, s Git, url string, damaged *DamagedError) error {
	if f.Offline {
		return damaged
	}
	repo := f.repository(s.URL)
	return locked(ctx, repo, func() error {
		if _, err := f.readCommit(ctx, s); err == nil && !errors.As(damaged.Err, new(*blobError)) {
			return nil // another run mended it while we waited
		}
		f.noticeDamage(damaged)
		return f.fetchAnew(ctx, repo, s, url)
	})
}

// blobError is a blob that is not what its name says.
type blobError struct{ err error }

func (e *blobError) Error() string { return e.err.Error() }
