package unchanged

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// record is the file: a header line, the time it was kept (nanoseconds), the lock's path, what was said, the number of folders, for each its path, the number of
// things in it and these (name, kind, inode), and the CRC-32 (IEEE) of all that. Lengths and numbers are uvarint, texts have their
// length before them, what an inode says is 40 bytes, little-endian as the rest.
type record struct {
	kept   time.Time
	lock   string
	said   []byte
	things []thing
	body   []byte // the folders, of a record that was read
}

// thing is what was seen at a path.
type thing struct {
	path string
	kind kind
	inode
}

// kind says what of a path is held to the record.
type kind byte

const (
	itself kind = iota // what is there, links not followed
	target             // where a link leads
	rights             // owner and mode of what is there
)

func compareThings(a, b thing) int {
	if c := strings.Compare(filepath.Dir(a.path), filepath.Dir(b.path)); c != 0 {
		return c
	}
	if c := strings.Compare(a.path, b.path); c != 0 {
		return c
	}
	return int(a.kind) - int(b.kind)
}

const (
	header    = "redox-clif unchanged 1\n"
	inodeSize = 4*8 + 2*4
	sumSize   = 4
)

func (r record) marshal() []byte {
	var b bytes.Buffer
	scratch := make([]byte, 0, 16)
	number := func(n int) { b.Write(binary.AppendUvarint(scratch, uint64(n))) }
	text := func(s string) {
		number(len(s))
		b.WriteString(s)
	}
	b.WriteString(header)
	b.Write(binary.LittleEndian.AppendUint64(scratch, uint64(r.kept.UnixNano())))
	text(r.lock)
	text(string(r.said))
	folders := byFolder(r.things)
	number(len(folders))
	for _, in := range folders {
		text(filepath.Dir(in[0].path))
		number(len(in))
		for _, t := range in {
			text(filepath.Base(t.path))
			b.WriteByte(byte(t.kind))
			for _, n := range []uint64{uint64(t.size), uint64(t.mtime), uint64(t.ctime), t.ino} {
				b.Write(binary.LittleEndian.AppendUint64(scratch, n))
			}
			b.Write(binary.LittleEndian.AppendUint32(scratch, t.uid))
			b.Write(binary.LittleEndian.AppendUint32(scratch, t.mode))
		}
	}
	return binary.LittleEndian.AppendUint32(b.Bytes(), crc32.ChecksumIEEE(b.Bytes()))
}

// byFolder cuts sorted things into those of one folder each.
func byFolder(things []thing) [][]thing {
	var all [][]thing
	for i, t := range things {
		if i > 0 && filepath.Dir(things[i-1].path) == filepath.Dir(t.path) {
			all[len(all)-1] = append(all[len(all)-1], t)
			continue
		}
		all = append(all, []thing{t})
	}
	return all
}

var errForm = errors.New("it is no record")

// parse reads a record as far as the folders.
func parse(b []byte) (record, error) {
	if len(b) < len(header)+8+sumSize || string(b[:len(header)]) != header {
		return record{}, errForm
	}
	end := len(b) - sumSize
	if crc32.ChecksumIEEE(b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return record{}, errForm
	}
	in := &reader{rest: b[len(header):end]}
	r := record{kept: time.Unix(0, int64(binary.LittleEndian.Uint64(in.bytes(8))))}
	r.lock, r.said = string(in.text()), in.text()
	r.body = in.rest
	if in.short {
		return record{}, errForm
	}
	return r, nil
}

// holds tells whether everything is as it was. It stops at the first thing that is not.
func (r record) holds() bool {
	in := &reader{rest: r.body}
	for range in.number() {
		if !holdFolder(in) {
			return false
		}
	}
	return !in.short && len(in.rest) == 0
}

// fewNames is how many names in a folder are found by their paths as fast as by opening the folder first.
const fewNames = 3

func holdFolder(in *reader) bool {
	dir, count := string(in.text()), in.number()
	at := unix.AT_FDCWD
	if count > fewNames {
		if fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
			defer func() { _ = unix.Close(fd) }() // it was read
			at = fd
		}
	}
	for range count {
		name := string(in.text())
		if at == unix.AT_FDCWD {
			name = filepath.Join(dir, name)
		}
		if fixed := in.bytes(1 + inodeSize); in.short || !holdName(at, name, fixed) {
			return false
		}
	}
	return true
}

// holdName holds a name in a folder to a kind and an inode.
func holdName(at int, name string, fixed []byte) bool {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if kind(fixed[0]) == target {
		flags = 0
	}
	now := statAt(at, name, flags)
	if now == unreadable {
		return false
	}
	if kind(fixed[0]) == rights {
		now = now.rights()
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(fixed[1+8*i:]) }
	const uid, mode = 1 + 4*8, 1 + 4*8 + 4
	return now == inode{
		size: int64(number(0)), mtime: int64(number(1)), ctime: int64(number(2)), ino: number(3),
		uid: binary.LittleEndian.Uint32(fixed[uid:]), mode: binary.LittleEndian.Uint32(fixed[mode:]),
	}
}

// reader takes a record apart. It is short when more was asked for than there is.
type reader struct {
	rest  []byte
	short bool
}

// bytes are the next n, zeros where there are none.
func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return make([]byte, min(n, inodeSize+1))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)) {
		r.short, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *reader) text() []byte { return r.bytes(r.number()) }
