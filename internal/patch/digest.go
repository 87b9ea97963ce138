package patch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
)

// Digest is the SHA-256, as lower-case hex, of what the series does to a tree:
// its edits, files, conditions and diffs in order. Titles, reasons, names and
// comments are not in it, so rewording a reason rebuilds nothing.
//
// Encoding: "redox-clif patch series 1", then for every field a one-byte-string
// tag and value, each as a 64-bit little-endian length and the bytes.
func (s *Series) Digest() string {
	e := encoder{sha256.New()}
	e.field("redox-clif patch series", "1")
	for i := range s.Patches {
		e.patch(&s.Patches[i])
	}
	return hex.EncodeToString(e.h.Sum(nil))
}

type encoder struct{ h hash.Hash }

func (e encoder) field(tag, value string) {
	for _, s := range []string{tag, value} {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		e.h.Write(n[:]) // a hash never fails to write
		e.h.Write([]byte(s))
	}
}

func (e encoder) patch(p *Patch) {
	if p.Unified != nil {
		e.field("unified 2", string(p.Unified.Data)) // 1 left modes out
		return
	}
	e.field("patch", "")
	e.condition("needed", p.Needed)
	e.condition("satisfied", p.Satisfied)
	for i := range p.Context {
		e.condition("context", &p.Context[i])
	}
	for i := range p.Edits {
		ed := &p.Edits[i]
		e.field("edit", ed.File)
		e.field("anchor", ed.Anchor)
		e.field("until", ed.Until)
		e.field("where", string(ed.Where))
		e.field("text", ed.Text)
		e.field("count", fmt.Sprint(ed.Count))
		e.field("regex", fmt.Sprint(ed.Regex))
		e.regexp("edit satisfied", ed.Satisfied)
		for _, text := range ed.Context {
			e.field("edit context", text)
		}
	}
	for _, f := range p.Files {
		e.field("file", f.Path)
		e.field("content", string(f.Text))
	}
}

func (e encoder) condition(tag string, c *Condition) {
	if c != nil {
		e.field(tag, c.File)
		e.regexp("pattern", c.Pattern)
	}
}

func (e encoder) regexp(tag string, re *regexp.Regexp) {
	if re != nil {
		e.field(tag, re.String())
	}
}
