package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Export writes the source's tree, with its submodules in their places, into
// dest, which must be missing or empty. Files are 0644 or 0755; symbolic
// links are kept when they stay inside the tree and refused otherwise; a
// git repository's blobs come exactly as committed, without attributes or
// line end conversion. After an error dest is to be thrown away.
func (f *Fetcher) Export(ctx context.Context, r *Resolved, dest string) error {
	if err := emptyDir(dest); err != nil {
		return err
	}
	var err error
	switch s := r.Source.(type) {
	case Git:
		err = f.exportGit(ctx, s, dest)
	case Archive:
		err = f.exportTar(ctx, f.archiveFile(s.SHA256), s.Strip, s.URL, dest, nil)
	case Crate:
		err = f.exportTar(ctx, f.crateFile(s.SHA256), 1, s.String(), dest, nil)
	case Path:
		err = copyDir(ctx, string(s), dest)
	}
	if err != nil {
		return diskFull(dest, err)
	}
	for _, at := range r.submodulePaths() {
		to := filepath.Join(dest, filepath.FromSlash(at))
		if err := os.RemoveAll(to); err != nil { // a checked-out one in a folder of the user's
			return err
		}
		if err := f.Export(ctx, r.Submodules[at], to); err != nil {
			return fmt.Errorf("submodule %s: %w", at, err)
		}
	}
	return nil
}

func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty", dir)
	}
	return err
}

// writer puts entries of an untrusted tree below a folder. Links are written
// last, so that no entry can be written through one.
type writer struct {
	root  *os.Root
	links []link
	wants func(name string) bool // of a tar file's entries; nil: all
}

type link struct{ name, target string }

func newWriter(dest string) (*writer, error) {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return nil, err
	}
	return &writer{root: root}, nil
}

func (w *writer) parent(name string) error {
	if err := checkPath(name); err != nil {
		return &EscapeError{Entry: name, Why: err.Error()}
	}
	return w.root.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o755)
}

func (w *writer) dir(name string) error {
	if err := w.parent(name); err != nil {
		return err
	}
	return w.root.MkdirAll(filepath.FromSlash(name), 0o755)
}

func (w *writer) file(name string, executable bool, body io.Reader) error {
	if err := w.parent(name); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if executable {
		perm = 0o755
	}
	out, err := w.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, body)
	return errors.Join(err, out.Chmod(perm), out.Close()) // the umask may have taken bits
}

// link remembers a link after checking where it leads.
func (w *writer) link(name, target string) error {
	if err := checkPath(name); err != nil {
		return &EscapeError{Entry: name, Why: err.Error()}
	}
	leads := path.Join(path.Dir(name), target)
	if path.IsAbs(target) || leads == ".." || strings.HasPrefix(leads, "../") {
		return &EscapeError{Entry: name, Why: fmt.Sprintf("its link target %q is outside of the tree", target)}
	}
	w.links = append(w.links, link{name, target})
	return nil
}

// close writes the links and releases the folder.
func (w *writer) close(err error) error {
	for _, l := range w.links {
		if err != nil {
			break
		}
		if err = w.parent(l.name); err == nil {
			err = w.root.Symlink(l.target, filepath.FromSlash(l.name))
		}
	}
	return errors.Join(err, w.root.Close())
}

// exportGit lists the commit's tree and reads its blobs by one
// `git cat-file --batch`. `git archive` would apply the tree's own
// export-ignore, export-subst and eol attributes.
func (f *Fetcher) exportGit(ctx context.Context, s Git, dest string) error {
	repo := f.repository(s.URL)
	if !f.haveCommit(ctx, repo, s.Commit) {
		return &OfflineError{What: s.String()}
	}
	list, err := f.Git.Run(ctx, repo, "ls-tree", "-r", "-z", "--full-tree", s.Commit)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	entries, err := parseTree(list)
	if err != nil {
		return err
	}
	w, err := newWriter(dest)
	if err != nil {
		return err
	}
	return w.close(f.writeBlobs(ctx, repo, entries, w))
}

type treeEntry struct{ mode, id, name string }

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
		entries = append(entries, treeEntry{fields[0], fields[2], name})
	}
	return entries, nil
}

func (f *Fetcher) writeBlobs(ctx context.Context, repo string, entries []treeEntry, w *writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends cat-file when an entry is refused
	cmd := f.Git.Command(ctx, repo, "cat-file", "--batch")
	var ids strings.Builder
	for _, e := range entries {
		if e.mode != "160000" {
			ids.WriteString(e.id + "\n")
		}
	}
	cmd.Stdin = strings.NewReader(ids.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewReader(out)
	for _, e := range entries {
		if err = w.treeEntry(e, in); err != nil {
			break
		}
	}
	if err != nil {
		cancel()
		cmd.Wait() // its failure follows from the one we report
		return err
	}
	return cmd.Wait()
}

// treeEntry writes one entry; in delivers "id type size\n", the bytes, "\n".
func (w *writer) treeEntry(e treeEntry, in *bufio.Reader) error {
	if e.mode == "160000" { // a submodule: its folder, which Export may fill
		return w.dir(e.name)
	}
	head, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("git cat-file: %w", err)
	}
	fields := strings.Fields(head)
	if len(fields) != 3 || fields[1] != "blob" {
		return fmt.Errorf("git cat-file gave %q for %s", strings.TrimSpace(head), e.name)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return err
	}
	body := io.LimitReader(in, size)
	if e.mode == "120000" {
		target, err := io.ReadAll(body)
		if err == nil {
			err = w.link(e.name, string(target))
		}
		if err != nil {
			return err
		}
	} else if err := w.file(e.name, e.mode == "100755", body); err != nil {
		return err
	}
	_, err = in.Discard(1)
	return err
}

// copyDir copies a folder of the user's without .git and without cargo's
// target folder, which lies beside a Cargo.toml.
func copyDir(ctx context.Context, from, dest string) error {
	w, err := newWriter(dest)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil || rel == "." {
			return err
		}
		return w.copyEntry(p, filepath.ToSlash(rel), d)
	})
	return w.close(err)
}

func (w *writer) copyEntry(p, name string, d fs.DirEntry) error {
	switch {
	case d.Name() == ".git" && d.IsDir():
		return fs.SkipDir
	case d.Name() == ".git":
		return nil // a submodule's or work tree's pointer
	case d.IsDir() && d.Name() == "target" && exists(filepath.Join(filepath.Dir(p), "Cargo.toml")):
		return fs.SkipDir
	case d.IsDir():
		return w.dir(name)
	case d.Type() == fs.ModeSymlink:
		target, err := os.Readlink(p)
		if err != nil {
			return err
		}
		return w.link(name, filepath.ToSlash(target))
	case !d.Type().IsRegular():
		return &EscapeError{Entry: name, Why: "it is neither a file, a folder nor a link"}
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	in, err := os.Open(p)
	if err != nil {
		return err
	}
	defer in.Close()
	return w.file(name, info.Mode()&0o111 != 0, in)
}
