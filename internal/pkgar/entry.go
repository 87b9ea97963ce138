package pkgar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Offsets of the entry fields.
const (
	entryHashAt   = 0
	entryOffsetAt = 32
	entrySizeAt   = 40
	entryModeAt   = 48
	entryPathAt   = 52
)

// MaxPath is the longest path of an entry in bytes.
const MaxPath = 255

// maxLink is the longest link target that is accepted.
const maxLink = 4096

// Mode bits of an entry.
const (
	modeKind = 0o170000
	modeFile = 0o100000
	modeLink = 0o120000
	modePerm = 0o007777
)

// Entry is one file or symbolic link.
type Entry struct {
	Path   string // slash separated, relative, valid in the sense of CheckPath
	Hash   Hash   // BLAKE3 of the unpacked data
	Offset uint64 // of the stored data, from the end of the entry table
	Size   uint64 // stored bytes; more or less than the unpacked ones with LZMA2
	Mode   uint32 // Unix mode: kind and 07777 permissions
}

// IsLink reports whether the entry is a symbolic link; its data is the target.
func (e *Entry) IsLink() bool { return e.Mode&modeKind == modeLink }

// FileMode is Mode as Go writes it.
func (e *Entry) FileMode() fs.FileMode {
	m := fs.FileMode(e.Mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if e.Mode&bit != 0 {
			m |= flag
		}
	}
	if e.IsLink() {
		m |= fs.ModeSymlink
	}
	return m
}

// unixMode is the entry mode of a file as the file system reports it. The mode of a link has no meaning and differs between
// systems; it is always 0120777.
func unixMode(m fs.FileMode) uint32 {
	if m&fs.ModeSymlink != 0 {
		return modeLink | 0o777
	}
	u := modeFile | uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		u |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		u |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		u |= 0o1000
	}
	return u
}

// CheckPath reports why p cannot be the path of an entry: it must be 1 to 255 bytes, relative, and made of components that are
// not empty, "." or "..".
func CheckPath(p string) error {
	switch {
	case p == "":
		return errors.New("is empty")
	case len(p) > MaxPath:
		return fmt.Errorf("has %d bytes, more than %d", len(p), MaxPath)
	case p[0] == '/':
		return fmt.Errorf("%q is absolute", p)
	case strings.IndexByte(p, 0) >= 0:
		return fmt.Errorf("%q contains a zero byte", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		switch part {
		case "":
			return fmt.Errorf("%q has an empty component", p)
		case ".", "..":
			return fmt.Errorf("%q has a component %q", p, part)
		}
	}
	return nil
}

// parseEntry decodes and checks entry number i of the table. All checks that need only this entry are here.
func parseEntry(b []byte, i int) (Entry, error) {
	bad := func(field string, at int64, format string, args ...any) error {
		return &FormatError{Field: fmt.Sprintf("entry %d %s", i, field), Offset: HeaderSize + EntrySize*int64(i) + at,
			Problem: fmt.Sprintf(format, args...)}
	}
	var e Entry
	copy(e.Hash[:], b[entryHashAt:])
	e.Offset = binary.LittleEndian.Uint64(b[entryOffsetAt:])
	e.Size = binary.LittleEndian.Uint64(b[entrySizeAt:])
	e.Mode = binary.LittleEndian.Uint32(b[entryModeAt:])
	raw := b[entryPathAt:EntrySize]
	end := bytes.IndexByte(raw, 0)
	if end < 0 {
		return e, bad("path", entryPathAt, "is not terminated by a zero byte")
	}
	e.Path = string(raw[:end])
	if err := CheckPath(e.Path); err != nil {
		return e, bad("path", entryPathAt, "%v", err)
	}
	for j, c := range raw[end:] {
		if c != 0 {
			return e, bad("path", entryPathAt+int64(end+j), "%q is followed by the byte %#02x instead of zeros", e.Path, c)
		}
	}
	if kind := e.Mode & modeKind; (kind != modeFile && kind != modeLink) || e.Mode&^(modeKind|modePerm) != 0 {
		return e, bad("mode", entryModeAt, "%#o of %q is neither a file nor a link", e.Mode, e.Path)
	}
	return e, nil
}

// appendEntry appends the EntrySize bytes of e.
func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, e.Hash[:]...)
	b = binary.LittleEndian.AppendUint64(b, e.Offset)
	b = binary.LittleEndian.AppendUint64(b, e.Size)
	b = binary.LittleEndian.AppendUint32(b, e.Mode)
	var path [256]byte
	copy(path[:MaxPath], e.Path)
	return append(b, path[:]...)
}

// checkTree reports paths that collide: equal ones, and a path that needs another entry, a file or a link, to be a folder.
// It returns the number of the offending entry.
func checkTree(entries []Entry) (int, error) {
	seen := make(map[string]int, len(entries))
	for i := range entries {
		if first, ok := seen[entries[i].Path]; ok {
			return i, fmt.Errorf("%q is entry %d already", entries[i].Path, first)
		}
		seen[entries[i].Path] = i
	}
	for i := range entries {
		p := entries[i].Path
		for j := strings.LastIndexByte(p, '/'); j > 0; j = strings.LastIndexByte(p[:j], '/') {
			if parent, ok := seen[p[:j]]; ok {
				kind := "file"
				if entries[parent].IsLink() {
					kind = "link"
				}
				return i, fmt.Errorf("%q leads through the %s %q (entry %d)", p, kind, p[:j], parent)
			}
		}
	}
	return 0, nil
}
