package pkgar

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"lukechampine.com/blake3"
)

// DefaultMaxEntries is the limit on the number of entries unless Options says otherwise. An entry takes about 150 bytes of
// memory.
const DefaultMaxEntries = 1 << 20

// Options says how to open an archive.
type Options struct {
	// Key has to have signed the archive. It is required unless Insecure is set.
	Key *PublicKey
	// Insecure skips the signature if Key is nil. Such an archive can be listed and checked against its own hashes, and
	// extracted only to a new or empty folder.
	Insecure bool
	// MaxEntries limits the entry table; 0 means DefaultMaxEntries.
	MaxEntries uint32
}

// Head is the header and the entry table of an archive. An installed system keeps it as NAME.pkgar_head.
type Head struct {
	Header
	Entries  []Entry
	DataSize int64 // stored bytes of all entries together
	verified bool
}

// Verified reports whether the signature was checked against a key.
func (h *Head) Verified() bool { return h.verified }

// FileSize is the length of the whole archive in bytes.
func (h *Head) FileSize() int64 { return h.HeadSize() + h.DataSize }

// Marshal is the head as it stands at the start of the archive.
func (h *Head) Marshal() []byte {
	b := append(make([]byte, 0, h.HeadSize()), h.Header.Marshal()...)
	for i := range h.Entries {
		b = appendEntry(b, &h.Entries[i])
	}
	return b
}

// ReadHead reads header and entry table from r and nothing behind them, and checks signature, table hash and every entry.
// available is how many bytes r can give, or -1 if that is not known; a table that does not fit is refused before anything is
// allocated, and of an unknown r the table is read piece by piece.
func ReadHead(r io.Reader, available int64, opt Options) (*Head, error) {
	header, err := readHeader(r, opt)
	if err != nil {
		return nil, err
	}
	if err := header.checkCount(available, opt); err != nil {
		return nil, err
	}
	h := &Head{Header: *header, verified: opt.Key != nil}
	if err := h.readTable(r, available >= 0); err != nil {
		return nil, err
	}
	if i, err := checkTree(h.Entries); err != nil {
		return nil, &FormatError{Field: fmt.Sprintf("entry %d path", i), Offset: HeaderSize + EntrySize*int64(i) + entryPathAt, Problem: err.Error()}
	}
	return h, nil
}

func readHeader(r io.Reader, opt Options) (*Header, error) {
	if opt.Key == nil && !opt.Insecure {
		return nil, ErrNoKey
	}
	var raw [HeaderSize]byte
	n, err := io.ReadFull(r, raw[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read header: %w", err)
	}
	header, formatErr := ParseHeader(raw[:n])
	if header == nil || opt.Key == nil {
		return header, formatErr
	}
	// A header of another key or with a bad signature is reported as that even if its flags look odd.
	if err := header.verifyRaw(*opt.Key, raw[:]); err != nil {
		return nil, err
	}
	return header, formatErr
}

func (h *Header) checkCount(available int64, opt Options) error {
	limit := opt.MaxEntries
	if limit == 0 {
		limit = DefaultMaxEntries
	}
	if h.Count > limit {
		return &FormatError{Field: "header count", Offset: countAt, Problem: fmt.Sprintf("%d entries are more than the limit of %d", h.Count, limit)}
	}
	if available >= 0 && h.HeadSize() > available {
		return &FormatError{Field: "header count", Offset: countAt, Err: ErrTruncated,
			Problem: fmt.Sprintf("%d entries need %d bytes, the archive has %d", h.Count, h.HeadSize(), available)}
	}
	return nil
}

// readTable reads, hashes and parses the entries. sized says that the count is known to be backed by data.
func (h *Head) readTable(r io.Reader, sized bool) error {
	if sized {
		h.Entries = make([]Entry, 0, h.Count)
	}
	hasher := blake3.New(32, nil)
	// The buffer never holds more than what belongs to the table, so that nothing behind it is taken from r.
	in := bufio.NewReaderSize(io.LimitReader(r, EntrySize*int64(h.Count)), 64<<10)
	var raw [EntrySize]byte
	var firstBad error
	for i := range int(h.Count) {
		if n, err := io.ReadFull(in, raw[:]); err != nil {
			return tableReadError(i, n, err)
		}
		hasher.Write(raw[:])
		if firstBad != nil {
			continue
		}
		e, err := parseEntry(raw[:], i)
		if err == nil {
			err = h.place(&e, i)
		}
		firstBad = err
		h.Entries = append(h.Entries, e)
	}
	// A table that is not the signed one is reported as that, not as the odd entry that makes it so.
	if got := Hash(hasher.Sum(nil)); got != h.TableHash {
		return &FormatError{Field: "entry table", Offset: HeaderSize, Err: ErrHash,
			Problem: fmt.Sprintf("has the hash %v, the header says %v", got, h.TableHash)}
	}
	return firstBad
}

func tableReadError(i, n int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &FormatError{Field: fmt.Sprintf("entry %d", i), Offset: HeaderSize + EntrySize*int64(i) + int64(n),
			Problem: "archive ends inside the entry table", Err: ErrTruncated}
	}
	return fmt.Errorf("read entry %d: %w", i, err)
}

// place checks that entry i follows the one before without gap or overlap and counts its data.
func (h *Head) place(e *Entry, i int) error {
	at := HeaderSize + EntrySize*int64(i)
	if e.Offset != uint64(h.DataSize) {
		return &FormatError{Field: fmt.Sprintf("entry %d offset", i), Offset: at + entryOffsetAt,
			Problem: fmt.Sprintf("%d of %q is not the end of the data before, %d", e.Offset, e.Path, h.DataSize)}
	}
	if e.Size > uint64(1<<62-h.DataSize) {
		return &FormatError{Field: fmt.Sprintf("entry %d size", i), Offset: at + entrySizeAt,
			Problem: fmt.Sprintf("%d of %q is too large", e.Size, e.Path)}
	}
	h.DataSize += int64(e.Size)
	if h.Packaging == LZMA2 && e.Size < 9 {
		return &FormatError{Field: fmt.Sprintf("entry %d size", i), Offset: at + entrySizeAt,
			Problem: fmt.Sprintf("%d of %q is less than the 9 bytes of an empty LZMA2 file", e.Size, e.Path)}
	}
	if h.Packaging == Raw && e.IsLink() && (e.Size == 0 || e.Size > maxLink) {
		return &FormatError{Field: fmt.Sprintf("entry %d size", i), Offset: at + entrySizeAt,
			Problem: fmt.Sprintf("%d is not a possible length of the target of link %q", e.Size, e.Path)}
	}
	return nil
}
