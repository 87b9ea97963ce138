package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pannous/redox-clif/internal/foldcase"
	"github.com/pannous/redox-clif/internal/symlink"
)

// Findings are what is odd about the files of a source, though it can be built.
type Findings struct {
	// LeftOut are the paths of what is not in the tree: its name, or the target of a link, is not UTF-8.
	LeftOut []string
	// Special are the paths of devices, sockets and pipes, which are not in the tree either: only a folder of the user's can have some.
	Special []string
	// Pointers are the paths of files whose content Git LFS keeps elsewhere. In their place is the text that says where.
	Pointers []string
}

// Export writes the tree of a source that is not a folder into dest, which must be missing or empty. Files are 0644 or
// 0755; symbolic links are kept and those that lead out of the tree refused (see package symlink); a
// git repository's blobs come exactly as committed, without attributes or
// line end conversion. After an error dest is to be thrown away.
func (f *Fetcher) Export(ctx context.Context, r *Resolved, dest string) (*Findings, error) {
	if err := emptyDir(dest); err != nil {
		return nil, err
	}
	found := &Findings{}
	var err error
	switch s := r.Source.(type) {
	case Git:
		err = f.exportGit(ctx, s, r.FetchURL, dest, found)
	case Archive:
		err = f.exportTar(ctx, f.archiveFile(s), s.Strip, s.URL, dest, nil, found)
	case Crate:
		err = f.exportTar(ctx, f.crateFile(s.SHA256), 1, s.String(), dest, nil, found)
	case Path:
		err = fmt.Errorf("%s is a folder, which is read where it lies", s)
	}
	if err != nil {
		return nil, diskFull(dest, err)
	}
	for _, at := range r.submodulePaths() {
		below, err := f.Export(ctx, r.Submodules[at], filepath.Join(dest, filepath.FromSlash(at)))
		if err != nil {
			return nil, fmt.Errorf("submodule %s: %w", at, err)
		}
		found.add(at, below)
	}
	return found, nil
}

func (f *Findings) add(at string, below *Findings) {
	for _, p := range below.LeftOut {
		f.LeftOut = append(f.LeftOut, path.Join(at, p))
	}
	for _, p := range below.Pointers {
		f.Pointers = append(f.Pointers, path.Join(at, p))
	}
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
	links map[string]string      // targets
	wants func(name string) bool // of a tar file's entries; nil: all
	found *Findings
	in    *bufio.Reader // of the file that is written
	made  string        // the folder that was there last; "" before the first
	// folds says that the file system takes names that differ by case for one; names are those so far.
	folds bool
	names foldcase.Names
}

// fileBuffer is how many bytes of a file are read and written at a time.
const fileBuffer = 64 << 10

func newWriter(dest string, found *Findings) (*writer, error) {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return nil, err
	}
	folds, err := foldcase.In(dest)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &writer{root: root, links: map[string]string{}, found: found, folds: folds, in: bufio.NewReaderSize(nil, fileBuffer)}, nil
}

// Nameable tells whether a name can be in a tree: one that is not UTF-8 cannot, neither in the messages of the Remote
// Execution API nor in Redox.
func Nameable(name string) bool { return utf8.ValidString(name) }

// leaveOut tells whether an entry stays out of the tree because of its name or its link's target.
func (w *writer) leaveOut(name, target string) bool {
	if Nameable(name) && Nameable(target) {
		return false
	}
	w.found.LeftOut = append(w.found.LeftOut, name)
	return true
}

func (w *writer) parent(name string) error {
	if err := checkPath(name); err != nil {
		return &EscapeError{Entry: name, Why: err.Error()}
	}
	if w.folds {
		if other := w.names.Add(path.Clean(name)); other != "" {
			return &foldcase.SameFileError{Dir: w.root.Name(), One: other, Other: name}
		}
	}
	dir := path.Dir(name)
	if dir == w.made { // archives have the files of a folder one after the other
		return nil
	}
	if err := w.root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
		return err
	}
	w.made = dir
	return nil
}

func (w *writer) dir(name string) error {
	if w.leaveOut(name, "") {
		return nil
	}
	if err := w.parent(name); err != nil {
		return err
	}
	return w.root.MkdirAll(filepath.FromSlash(name), 0o755)
}

func (w *writer) file(name string, executable bool, body io.Reader) error {
	if w.leaveOut(name, "") {
		_, err := io.Copy(io.Discard, body)
		return err
	}
	if err := w.parent(name); err != nil {
		return err
	}
	w.in.Reset(body)
	if start, _ := w.in.Peek(MaxPointer + 1); IsPointer(start) {
		w.found.Pointers = append(w.found.Pointers, name)
	}
	perm := fs.FileMode(0o644)
	if executable {
		perm = 0o755
	}
	out, err := w.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	// Without the methods of a file: they would allocate a buffer for each, which is gigabytes for a large source.
	_, err = w.in.WriteTo(struct{ io.Writer }{out})
	return errors.Join(err, out.Chmod(perm), out.Close()) // the umask may have taken bits
}

// link remembers a link.
func (w *writer) link(name, target string) error {
	if w.leaveOut(name, target) {
		return nil
	}
	if err := checkPath(name); err != nil {
		return &EscapeError{Entry: name, Why: err.Error()}
	}
	if target == "" {
		return &EscapeError{Entry: name, Why: "it is a link without a target"}
	}
	w.links[name] = target
	return nil
}

// close writes the links and releases the folder.
func (w *writer) close(err error) error {
	if err == nil {
		err = CheckLinks(w.links)
	}
	for _, name := range slices.Sorted(maps.Keys(w.links)) {
		if err != nil {
			break
		}
		if err = w.parent(name); err == nil {
			err = w.root.Symlink(w.links[name], filepath.FromSlash(name))
		}
	}
	return errors.Join(err, w.root.Close())
}

// CheckLinks refuses a source with links that lead out of it, whatever kind it is of.
func CheckLinks(links map[string]string) error {
	leaving := symlink.Leaving(links)
	if len(leaving) == 0 {
		return nil
	}
	more := ""
	if n := len(leaving) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more such)", n)
	}
	return &EscapeError{Entry: leaving[0].Path, Why: fmt.Sprintf("%v%s; a path of the system that the source is for is written from the root. "+
		"A copy of the source in which the link is mended or gone can take its place: [source.NAME] in overrides.toml", leaving[0], more)}
}

// exportGit writes a commit out. One that is damaged in the store is fetched again.
func (f *Fetcher) exportGit(ctx context.Context, s Git, url, dest string, found *Findings) error {
	err := f.writeCommit(ctx, s, dest, found)
	var damaged *DamagedError
	if !errors.As(err, &damaged) {
		return err
	}
	if err := f.refetch(ctx, s, url, damaged); err != nil {
		return err
	}
	*found = Findings{}
	if err := os.RemoveAll(dest); err != nil {
		return err
	}
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	return f.writeCommit(ctx, s, dest, found)
}

// writeCommit lists the commit's tree and reads its blobs by one
// `git cat-file --batch`. `git archive` would apply the tree's own
// export-ignore, export-subst and eol attributes.
func (f *Fetcher) writeCommit(ctx context.Context, s Git, dest string, found *Findings) error {
	repo := f.repository(s.URL)
	if !f.haveCommit(ctx, repo, s.Commit) {
		return &OfflineError{What: s.String()}
	}
	commit, err := f.readCommit(ctx, s)
	if err != nil {
		return err
	}
	w, err := newWriter(dest, found)
	if err != nil {
		return err
	}
	err = f.writeBlobs(ctx, repo, commit.files(), w)
	var wrong *blobError
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &wrong):
		err = &DamagedError{What: s.String(), File: repo, Err: wrong}
	}
	return w.close(err)
}

func (f *Fetcher) writeBlobs(ctx context.Context, repo string, entries []treeEntry, w *writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends cat-file when an entry is refused
	cmd := f.Git.Command(ctx, repo, "cat-file", "--batch")
	var ids strings.Builder
	for _, e := range entries {
		if e.mode != gitlink {
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
		_ = cmd.Wait() // its failure follows from the one we report
		return err
	}
	return cmd.Wait()
}

// treeEntry writes one entry; in delivers "id type size\n", the bytes, "\n".
func (w *writer) treeEntry(e treeEntry, in *bufio.Reader) error {
	if e.mode == gitlink { // a submodule: its folder, which another source may fill
		return w.dir(e.name)
	}
	size, err := blobHead(e, in)
	if err != nil {
		return &blobError{err}
	}
	h := objectHash("blob", size)
	body := io.TeeReader(io.LimitReader(in, size), h)
	if e.mode == "120000" {
		target, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		if err := checkObject(h, "blob", e.id); err != nil {
			return &blobError{err}
		}
		if err := w.link(e.name, string(target)); err != nil {
			return err
		}
	} else {
		if err := w.file(e.name, e.mode == "100755", body); err != nil {
			return err
		}
		if err := checkObject(h, "blob", e.id); err != nil {
			return &blobError{err}
		}
	}
	_, err = in.Discard(1)
	return err
}

// blobHead reads what `git cat-file --batch` says of a blob before its bytes; the size is in bytes.
func blobHead(e treeEntry, in *bufio.Reader) (size int64, err error) {
	head, err := in.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("git cat-file ended before %s", e.name)
	}
	fields := strings.Fields(head)
	if len(fields) != 3 || fields[1] != "blob" {
		return 0, fmt.Errorf("git cat-file gave %q for %s", strings.TrimSpace(head), e.name)
	}
	return strconv.ParseInt(fields[2], 10, 64)
}
