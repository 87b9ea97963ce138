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

// Difference is the first byte in which two files differ.
type Difference struct {
	// Offset is counted from the start of the file.
	Offset int64
	// Where names what lies there: "member x.o, section .text+0x10", "" when it is unknown.
	Where string
	// A and B are up to 16 bytes of each file from Offset on.
	A, B []byte
}

func (d Difference) String() string {
	at := fmt.Sprintf("offset %d (%#x)", d.Offset, d.Offset)
	if d.Where != "" {
		at += ", " + d.Where
	}
	return fmt.Sprintf("%s: %s | %s", at, show(d.A), show(d.B))
}

// show writes bytes as hex and text; an empty slice is the end of the file.
func show(b []byte) string {
	if len(b) == 0 {
		return "(end)"
	}
	return fmt.Sprintf("%x %q", b, b)
}

// excerpt is how many bytes of each side are shown.
const excerpt = 16

// First compares a and b. ok is false when they are equal.
func First(a, b []byte) (d Difference, ok bool) {
	n := min(len(a), len(b))
	at := n
	for i := range n {
		if a[i] != b[i] {
			at = i
			break
		}
	}
	if at == n && len(a) == len(b) {
		return Difference{}, false
	}
	return Difference{int64(at), where(a, int64(at)), a[at:min(at+excerpt, len(a))], b[at:min(at+excerpt, len(b))]}, true
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
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return ""
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && s.FileSize > 0 && at >= int64(s.Offset) && at < int64(s.Offset+s.FileSize) {
			return fmt.Sprintf("section %s+%#x", s.Name, at-int64(s.Offset))
		}
	}
	return "the ELF headers or padding"
}

const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

func whereInArchive(file []byte, at int64) string {
	var longNames string
	pos := int64(len(arMagic))
	for pos+arHeader <= int64(len(file)) {
		head := file[pos : pos+arHeader]
		name := strings.TrimRight(string(head[:16]), " ")
		size, err := strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 64)
		body := pos + arHeader
		if err != nil || size < 0 || size > int64(len(file))-body {
			return ""
		}
		if name == "//" {
			longNames = string(file[body : body+size])
		}
		if at < body {
			return "header of member " + memberName(name, longNames)
		}
		if at < body+size {
			inside := where(file[body:body+size], at-body)
			if inside == "" {
				inside = fmt.Sprintf("offset %#x of it", at-body)
			}
			return "member " + memberName(name, longNames) + ", " + inside
		}
		pos = body + size + size%2
	}
	return ""
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
