package pkgar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
	"lukechampine.com/blake3"

	"github.com/pannous/redox-clif/internal/reserve"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// CreateOptions says what archive to make. The bytes depend on these and the files only, not on times, owners, the folder's
// place or the number of processors.
type CreateOptions struct {
	Key       SecretKey
	Arch      Arch
	Packaging Packaging
	// NoSync leaves writing to the disk to the operating system, as in ExtractOptions.
	NoSync bool
}

// CreateResult says what was made.
type CreateResult struct {
	Head      *Head
	Bytes     int64    // unpacked bytes of files
	EmptyDirs []string // folders that the archive cannot record, sorted
}

// CreateFile writes an archive of the folder dir to the file name, which appears, or is replaced, when it is complete. A process
// that is killed leaves at most a file .NAME-*, which the next CreateFile of the same name removes.
func CreateFile(ctx context.Context, name, dir string, opt CreateOptions) (*CreateResult, error) {
	out, err := newPending(name)
	if err != nil {
		return nil, err
	}
	result, err := Create(ctx, out.File, dir, opt)
	if err == nil {
		err = out.commit(name, opt.NoSync)
	}
	if err != nil {
		return nil, errors.Join(err, out.discard())
	}
	return result, nil
}

// Create writes an archive of the folder dir to out, which has to be empty. The files come in byte order of their names,
// folder by folder. Anything but folders, files and links is an error, and so is a file that changes its length meanwhile.
func Create(ctx context.Context, out io.WriterAt, dir string, opt CreateOptions) (*CreateResult, error) {
	if opt.Key.IsZero() {
		return nil, errors.New("no secret key to sign with")
	}
	tree, err := scanTree(dir)
	if err != nil {
		return nil, err
	}
	head := &Head{Header: Header{Count: uint32(len(tree.entries)), Arch: opt.Arch, Packaging: opt.Packaging}, Entries: tree.entries, verified: true}
	if _, err := ParseHeader(head.Header.Marshal()); err != nil {
		return nil, err
	}
	w := &writer{dir: dir, out: out, head: head, lengths: tree.lengths, links: tree.links}
	if opt.Packaging == LZMA2 {
		err = w.writePacked(ctx)
	} else {
		err = w.writeRaw(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := w.finish(opt.Key); err != nil {
		return nil, err
	}
	return &CreateResult{Head: head, Bytes: w.fileBytes(), EmptyDirs: tree.emptyDirs}, nil
}

// tree is what an archive will hold. The slices lengths and links run parallel to entries.
type tree struct {
	entries   []Entry
	lengths   []int64
	links     []string // target of a link
	emptyDirs []string
}

func scanTree(dir string) (*tree, error) {
	t := &tree{}
	if err := t.scan(dir, ""); err != nil {
		return nil, err
	}
	if len(t.entries) > DefaultMaxEntries {
		return nil, fmt.Errorf("%s has %d files, more than %d", dir, len(t.entries), DefaultMaxEntries)
	}
	return t, nil
}

// scan adds the folder dir, which is rel in the archive. ReadDir sorts by the bytes of the names.
func (t *tree) scan(dir, rel string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(names) == 0 && rel != "" {
		t.emptyDirs = append(t.emptyDirs, rel)
	}
	for _, d := range names {
		full, name := filepath.Join(dir, d.Name()), path.Join(rel, d.Name())
		if d.IsDir() {
			err = t.scan(full, name)
		} else {
			err = t.add(full, name, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) add(full, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if err := CheckPath(name); err != nil {
		return fmt.Errorf("path %w", err)
	}
	link, length := "", info.Size()
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(full); err != nil {
			return err
		}
		if length = int64(len(link)); length == 0 || length > maxLink {
			return fmt.Errorf("%s: link target has %d bytes, want 1 to %d", full, length, maxLink)
		}
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file nor a link nor a folder (%v)", full, info.Mode().Type())
	case info.Mode().Perm() == 0:
		return fmt.Errorf("%s has no permissions at all, which the reference tools refuse", full)
	default:
		if err := secretkey.CheckFile(full); err != nil {
			return err
		}
	}
	t.entries = append(t.entries, Entry{Path: name, Mode: unixMode(info.Mode())})
	t.lengths = append(t.lengths, length)
	t.links = append(t.links, link)
	return nil
}

// writer writes the data of all entries behind the place of the table, and fills in the entries.
type writer struct {
	dir     string
	out     io.WriterAt
	head    *Head
	lengths []int64
	links   []string
}

func (w *writer) fileBytes() int64 {
	var n int64
	for i := range w.lengths {
		if !w.head.Entries[i].IsLink() {
			n += w.lengths[i]
		}
	}
	return n
}

// open is the data of entry i; a file of another length than before is an error when it has been read.
func (w *writer) open(i int) (io.ReadCloser, error) {
	if w.head.Entries[i].IsLink() {
		return &linkReader{data: w.links[i]}, nil
	}
	f, err := os.Open(filepath.Join(w.dir, filepath.FromSlash(w.head.Entries[i].Path)))
	if err != nil {
		return nil, err
	}
	return f, nil
}

type linkReader struct{ data string }

func (r *linkReader) Read(p []byte) (int, error) {
	if r.data == "" {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func (r *linkReader) Close() error { return nil }

func (w *writer) changed(i int) error {
	return fmt.Errorf("%s changed its length while it was read", filepath.Join(w.dir, w.head.Entries[i].Path))
}

// writeRaw copies all files to their places, which are known beforehand, on several goroutines.
func (w *writer) writeRaw(ctx context.Context) error {
	var end int64
	for i := range w.head.Entries {
		e := &w.head.Entries[i]
		e.Offset, e.Size = uint64(end), uint64(w.lengths[i])
		end += w.lengths[i]
	}
	w.head.DataSize = end
	if f, ok := w.out.(*os.File); ok {
		reserve.File(f, w.head.HeadSize()+end)
	}
	next := make(chan [2]int)
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), maxWorkers) {
		group.Go(func() error {
			// One byte more shows that a file is longer than expected.
			buf, hasher := make([]byte, copyBuffer+1), blake3.New(32, nil)
			for run := range next {
				if err := w.copyRun(ctx, run[0], run[1], buf, hasher); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(next)
		for i := 0; i < len(w.lengths); {
			end := w.run(i)
			select {
			case next <- [2]int{i, end}:
			case <-ctx.Done():
				return ctx.Err()
			}
			i = end
		}
		return nil
	})
	return group.Wait()
}

// run is the end of the run of small files from i on that fit into one buffer, or i+1.
func (w *writer) run(i int) int {
	size := w.lengths[i]
	for i++; i < len(w.lengths) && size+w.lengths[i] <= copyBuffer; i++ {
		size += w.lengths[i]
	}
	return i
}

// copyRun copies a run of files, small ones with a single write.
func (w *writer) copyRun(ctx context.Context, i, end int, buf []byte, hasher *blake3.Hasher) error {
	if w.lengths[i] > copyBuffer {
		return w.copyRaw(ctx, i, buf[:copyBuffer], hasher)
	}
	at, n := w.head.HeadSize()+int64(w.head.Entries[i].Offset), int64(0)
	for ; i < end; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.readSmall(i, buf[n:n+w.lengths[i]+1]); err != nil {
			return err
		}
		hasher.Reset()
		hasher.Write(buf[n : n+w.lengths[i]])
		hasher.Sum(w.head.Entries[i].Hash[:0])
		n += w.lengths[i]
	}
	_, err := w.out.WriteAt(buf[:n], at)
	return err
}

// readSmall reads entry i, which has to be one byte shorter than buf.
func (w *writer) readSmall(i int, buf []byte) (err error) {
	in, err := w.open(i)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	n := 0
	for n < len(buf)-1 {
		got, err := in.Read(buf[n:])
		n += got
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if n != len(buf)-1 {
		return w.changed(i)
	}
	return nil
}

func (w *writer) copyRaw(ctx context.Context, i int, buf []byte, hasher *blake3.Hasher) (err error) {
	in, err := w.open(i)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	e := &w.head.Entries[i]
	hasher.Reset()
	at, left := w.head.HeadSize()+int64(e.Offset), w.lengths[i]
	for left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := buf[:min(left, copyBuffer)]
		if _, err := io.ReadFull(in, piece); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return w.changed(i)
		} else if err != nil {
			return err
		}
		hasher.Write(piece)
		if _, err := w.out.WriteAt(piece, at); err != nil {
			return err
		}
		at += int64(len(piece))
		left -= int64(len(piece))
	}
	if n, err := in.Read(buf[:1]); n > 0 || (err != nil && !errors.Is(err, io.EOF)) {
		return errors.Join(w.changed(i), err)
	}
	hasher.Sum(e.Hash[:0])
	return nil
}

// finish writes the table and the signed header.
func (w *writer) finish(key SecretKey) error {
	hasher := blake3.New(32, nil)
	table := io.NewOffsetWriter(w.out, HeaderSize)
	raw := make([]byte, 0, 200*EntrySize)
	for i := range w.head.Entries {
		raw = appendEntry(raw, &w.head.Entries[i])
		if len(raw) == cap(raw) || i == len(w.head.Entries)-1 {
			hasher.Write(raw)
			if _, err := table.Write(raw); err != nil {
				return err
			}
			raw = raw[:0]
		}
	}
	hasher.Sum(w.head.TableHash[:0])
	w.head.Header.sign(key)
	_, err := w.out.WriteAt(w.head.Header.Marshal(), 0)
	return err
}
