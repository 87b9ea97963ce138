// Package bytediff finds where two files that should be equal begin to differ, in terms a person can
// follow: the member of an archive, the section of an ELF file, the offset.
//
// It owns nothing but that. It must not know what made the files.
//
// Format facts: ELF by the standard library's debug/elf; the ar format (magic, 60-byte headers, even
// alignment, GNU "/" and "/N" names) by the System V format as GNU ar and llvm-ar write it.
package bytediff

import (
	"bytes"
	"debug/elf"
	"fmt"
	"strconv"
	"strings"
)

// Difference is the first byte in which two files differ. Of archives and programs it is the first of a member or
// section: a text that is one letter longer changes every size and address in the headers before it.
type Difference struct {
	// Offset is counted from the start of the first file.
	Offset int64
	// Where names what lies there: "member x.o, section .text+0x10", "" when it is unknown.
	Where string
	// Before is the end of what is the same in front of it, as far as it is text.
	Before string
	// A and B are up to 48 bytes of each file from there on.
	A, B []byte
}

func (d Difference) String() string {
	at := fmt.Sprintf("offset %d (%#x)", d.Offset, d.Offset)
	if d.Where != "" {
		at += ", " + d.Where
	}
	if d.Before != "" {
		at += fmt.Sprintf(", after %q", d.Before)
	}
	return fmt.Sprintf("%s: %s | %s", at, show(d.A), show(d.B))
}

// show writes bytes as text, or as hex and text where they are not; an empty slice is the end of the file.
func show(b []byte) string {
	if len(b) == 0 {
		return "(end)"
	}
	if n := len(b) - len(bytes.TrimLeftFunc(b, printable)); n >= textual || n == len(b) {
		return fmt.Sprintf("%q", b[:n])
	}
	b = b[:min(len(b), excerpt)]
	return fmt.Sprintf("%x %q", b, b)
}

func printable(r rune) bool { return r >= ' ' && r <= '~' }

const (
	// excerpt is how many bytes of each side are shown, textExcerpt of text.
	excerpt, textExcerpt = 16, 48
	// textual is how many letters make a text.
	textual = 8
)

// First compares a and b. ok is false when they are equal.
func First(a, b []byte) (d Difference, ok bool) {
	at, differ := firstByte(a, b)
	if !differ {
		return Difference{}, false
	}
	for _, parts := range []func([]byte) []part{members, sections} {
		if d, ok := firstOfParts(a, b, parts(a), parts(b)); ok {
			return d, true
		}
	}
	d = Difference{Offset: int64(at), Where: where(a, int64(at)), A: a[at:min(at+textExcerpt, len(a))], B: b[at:min(at+textExcerpt, len(b))]}
	before := a[max(at-textExcerpt, 0):at]
	d.Before = string(before[len(bytes.TrimRightFunc(before, printable)):])
	return d, true
}

func firstByte(a, b []byte) (at int, differ bool) {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i, true
		}
	}
	return n, len(a) != len(b)
}

// part is a piece of a file with a name.
type part struct {
	kind, name string
	start, end int64
}

// firstOfParts compares what two files are made of as long as it has the same names.
func firstOfParts(a, b []byte, inA, inB []part) (Difference, bool) {
	for i := range min(len(inA), len(inB)) {
		p, q := inA[i], inB[i]
		if p.name != q.name {
			break
		}
		d, ok := First(a[p.start:p.end], b[q.start:q.end])
		if !ok {
			continue
		}
		switch {
		case p.kind == "section":
			d.Where = fmt.Sprintf("section %s+%#x", p.name, d.Offset)
		case d.Where == "":
			d.Where = fmt.Sprintf("member %s, offset %#x of it", p.name, d.Offset)
		default:
			d.Where = "member " + p.name + ", " + d.Where
		}
		d.Offset += p.start
		return d, true
	}
	return Difference{}, false
}

// sections are those of an ELF file that have bytes.
func sections(file []byte) []part {
	if !bytes.HasPrefix(file, []byte(elf.ELFMAG)) {
		return nil
	}
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil
	}
	var all []part
	for _, s := range f.Sections {
		end := s.Offset + s.FileSize
		if s.Type != elf.SHT_NOBITS && s.FileSize > 0 && end > s.Offset && end <= uint64(len(file)) {
			all = append(all, part{"section", s.Name, int64(s.Offset), int64(end)})
		}
	}
	return all
}

// where names the place of an offset in a file.
func where(file []byte, at int64) string {
	if bytes.HasPrefix(file, []byte(arMagic)) {
		return whereInArchive(file, at)
	}
	if bytes.HasPrefix(file, []byte(elf.ELFMAG)) {
		return whereInELF(file, at)
	}
	return ""
}

func whereInELF(file []byte, at int64) string {
	for _, s := range sections(file) {
		if at >= s.start && at < s.end {
			return fmt.Sprintf("section %s+%#x", s.name, at-s.start)
		}
	}
	return "the ELF headers or padding"
}

const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

// members are those of an archive, without its tables of symbols and names, up to the first that is broken.
func members(file []byte) []part {
	if !bytes.HasPrefix(file, []byte(arMagic)) {
		return nil
	}
	var longNames string
	var all []part
	pos := int64(len(arMagic))
	for pos+arHeader <= int64(len(file)) {
		head := file[pos : pos+arHeader]
		name := strings.TrimRight(string(head[:16]), " ")
		size, err := strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 64)
		body := pos + arHeader
		if err != nil || size < 0 || size > int64(len(file))-body {
			break
		}
		switch name {
		case "/", "/SYM64/":
		case "//":
			longNames = string(file[body : body+size])
		default:
			all = append(all, part{"member", memberName(name, longNames), body, body + size})
		}
		pos = body + size + size%2
	}
	return all
}

func whereInArchive(file []byte, at int64) string {
	for _, m := range members(file) {
		if at < m.start-arHeader {
			break
		}
		if at < m.start {
			return "header of member " + m.name
		}
		if at < m.end {
			return "member " + m.name
		}
	}
	return "the tables of the archive"
}

func memberName(name, longNames string) string {
	rest, long := strings.CutPrefix(name, "/")
	if !long || rest == "" || rest == "/" {
		return strings.TrimSuffix(name, "/")
	}
	at, err := strconv.Atoi(rest)
	if err != nil || at > len(longNames) || at < 0 {
		return name
	}
	full, _, _ := strings.Cut(longNames[at:], "\n")
	return strings.TrimSuffix(full, "/")
}
