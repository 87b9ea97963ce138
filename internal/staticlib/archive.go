package staticlib

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/elfedit"
)

// Member is one file of an archive.
type Member struct {
	Name string
	Data []byte
}

// The archive format of System V as GNU's ar writes it. Every header has 60 bytes: name, time, owner, group, mode, size, and an end.
const (
	archiveMagic = "!<arch>\n"
	headerSize   = 60
	nameField    = 16
	sizeField    = 10
	headerEnd    = "`\n"

	indexName = "/"
	wideIndex = "/SYM64/"
	longNames = "//"
	memberRow = "%-16s%-12d%-6d%-6d%-8o%-10d" + headerEnd
	fileMode  = 0o644
)

// Read returns the members of an archive in their order, without its index.
func Read(archive []byte) ([]Member, error) {
	rest, ok := bytes.CutPrefix(archive, []byte(archiveMagic))
	if !ok {
		return nil, errors.New("not an archive")
	}
	var members []Member
	var names []byte
	for len(rest) > 0 {
		at := len(archive) - len(rest)
		if len(rest) < headerSize || string(rest[headerSize-len(headerEnd):headerSize]) != headerEnd {
			return nil, fmt.Errorf("there is no member's header at byte %d", at)
		}
		name := strings.TrimRight(string(rest[:nameField]), " ")
		sizeText := strings.TrimRight(string(rest[headerSize-len(headerEnd)-sizeField:headerSize-len(headerEnd)]), " ")
		size, err := strconv.ParseUint(sizeText, 10, 63)
		if err != nil || size > uint64(len(rest)-headerSize) {
			return nil, fmt.Errorf("the member at byte %d has %q bytes, and %d are there", at, sizeText, len(rest)-headerSize)
		}
		data := rest[headerSize : headerSize+size]
		rest = rest[headerSize+size:]
		if size%2 == 1 && len(rest) > 0 {
			rest = rest[1:]
		}
		switch name {
		case indexName, wideIndex:
		case longNames:
			names = data
		default:
			if name, err = memberName(name, names); err != nil {
				return nil, fmt.Errorf("the member at byte %d: %w", at, err)
			}
			members = append(members, Member{name, data})
		}
	}
	return members, nil
}

// memberName is the name that a header's field stands for: one that ends with a slash, or a place in the table of long ones.
func memberName(field string, names []byte) (string, error) {
	if name, ok := strings.CutSuffix(field, "/"); ok && name != "" {
		return name, nil
	}
	at, err := strconv.ParseUint(strings.TrimPrefix(field, "/"), 10, 63)
	if err != nil || !strings.HasPrefix(field, "/") || at >= uint64(len(names)) {
		return "", fmt.Errorf("%q is no name of GNU's form", field)
	}
	name, _, ok := bytes.Cut(names[at:], []byte("/\n"))
	if !ok {
		return "", fmt.Errorf("the name at %s of the long ones has no end", field)
	}
	return string(name), nil
}

// Write returns the archive of the members in their order, with an index of what they define: byte for byte what llvm-ar's rcsD makes.
// Times and owners are zero and the mode is fixed, so that equal members make an equal archive. Members are object files.
func Write(members []Member) ([]byte, error) {
	names := longNameTable{at: map[string]int{}}
	var files bytes.Buffer
	var index indexTable
	for _, m := range members {
		defined, err := elfedit.Defined(m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		for _, symbol := range defined {
			index.at = append(index.at, files.Len())
			index.names = append(append(index.names, symbol...), 0)
		}
		fmt.Fprintf(&files, memberRow, names.field(m.Name), 0, 0, 0, fileMode, len(m.Data))
		files.Write(m.Data)
		even(&files)
	}
	if len(members) == 0 {
		return Empty(), nil
	}
	table := names.member()
	front, err := index.member(len(archiveMagic) + len(table))
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{[]byte(archiveMagic), front, table, files.Bytes()}, nil), nil
}

func even(b *bytes.Buffer) {
	if b.Len()%2 == 1 {
		b.WriteByte('\n')
	}
}

// longNameTable holds the names that do not fit a header, once each.
type longNameTable struct {
	text bytes.Buffer
	at   map[string]int
}

func (t *longNameTable) field(name string) string {
	if len(name) < nameField && !strings.Contains(name, "/") {
		return name + "/"
	}
	at, ok := t.at[name]
	if !ok {
		at = t.text.Len()
		t.at[name] = at
		t.text.WriteString(name + "/\n")
	}
	return fmt.Sprintf("/%d", at)
}

func (t *longNameTable) member() []byte {
	if t.text.Len() == 0 {
		return nil
	}
	even(&t.text)
	return append(fmt.Appendf(nil, "%-48s%-10d%s", longNames, t.text.Len(), headerEnd), t.text.Bytes()...)
}

// smallestIndex is the size of one without symbols, in bytes.
const smallestIndex = 8

// indexTable is the first member: for each symbol the place of the member that defines it, and their names.
type indexTable struct {
	at    []int // among the files
	names []byte
}

// member is the index as a member. between is the size of what else stands before the files.
func (t *indexTable) member(between int) ([]byte, error) {
	size := max(4+4*len(t.at)+len(t.names), smallestIndex)
	size += size % 2
	first := between + headerSize + size
	if n := len(t.at); n > 0 && first+t.at[n-1] > math.MaxUint32 {
		return nil, fmt.Errorf("a member begins at byte %d, and an index counts to %d", first+t.at[n-1], uint32(math.MaxUint32))
	}
	out := fmt.Appendf(nil, memberRow, indexName, 0, 0, 0, 0, size)
	out = binary.BigEndian.AppendUint32(out, uint32(len(t.at)))
	for _, at := range t.at {
		out = binary.BigEndian.AppendUint32(out, uint32(first+at))
	}
	out = append(out, t.names...)
	return append(out, make([]byte, headerSize+size-len(out))...), nil
}
