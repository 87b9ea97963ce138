package tomledit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// insertion finds where a key that is not there yet has to go, and the text to
// put there.
func (p *positions) insertion(key []string, value string) (span, string, error) {
	if err := p.passable(key); err != nil {
		return span{}, "", err
	}
	if owner := p.inlineOwner(key); owner != nil {
		place, text := p.intoInline(owner, key[len(owner.path):], value)
		return place, text, nil
	}
	owner := p.ownerTable(key)
	rest := key[len(owner.path):]
	if len(rest) > 1 && lastWith(owner, key[:len(owner.path)+1]) == nil && !p.inElement(key) {
		place, text := p.newHeader(key, value)
		return place, text, nil
	}
	place, text := p.intoTable(owner, key, rest, value)
	return place, text, nil
}

// inElement tells whether the key is in an array of tables. Only the newest
// element could be given a header there, so dotted keys are used instead.
func (p *positions) inElement(key []string) bool {
	for end := 1; end < len(key); end++ {
		if p.elements[Dotted(key[:end])] > 0 {
			return true
		}
	}
	return false
}

// passable refuses a path that goes through a scalar, an array of values or an
// array of tables without naming its element.
func (p *positions) passable(key []string) error {
	var err error
	p.all(func(_ *table, e *entry) {
		if len(e.path) < len(key) && hasPrefix(key, e.path) && !e.isTable {
			err = fmt.Errorf("%s is not a table", Dotted(e.path))
		}
	})
	for end := 1; end < len(key); end++ {
		if count := p.elements[Dotted(key[:end])]; count > 0 {
			position := slices.ContainsFunc(p.tables, func(t *table) bool { return hasPrefix(t.path, key[:end+1]) })
			if !position {
				err = fmt.Errorf("%s is an array of %d tables: name one by its position", Dotted(key[:end]), count)
			}
		}
	}
	return err
}

// inlineOwner is the innermost inline table on the way to the key.
func (p *positions) inlineOwner(key []string) *entry {
	var owner *entry
	p.all(func(_ *table, e *entry) {
		if e.isTable && len(e.path) < len(key) && hasPrefix(key, e.path) && (owner == nil || len(e.path) > len(owner.path)) {
			owner = e
		}
	})
	return owner
}

// ownerTable is the [table] with the longest path on the way to the key, at
// worst the root.
func (p *positions) ownerTable(key []string) *table {
	owner := p.tables[0]
	for _, t := range p.tables {
		if len(t.path) < len(key) && hasPrefix(key, t.path) && len(t.path) >= len(owner.path) {
			owner = t
		}
	}
	return owner
}

// lastWith is the last entry of the table whose path starts with prefix.
func lastWith(t *table, prefix []string) *entry {
	for _, e := range slices.Backward(t.entries) {
		if hasPrefix(e.path, prefix) {
			return e
		}
	}
	return nil
}

// intoInline puts the key last in { }.
func (p *positions) intoInline(owner *entry, rest []string, value string) (span, string) {
	pair := Dotted(rest) + " = " + value
	if len(owner.members) > 0 {
		last := owner.members[len(owner.members)-1].whole.end
		return span{last, last}, ", " + pair
	}
	return owner.value, "{ " + pair + " }"
}

// intoTable puts the key on a line of its own below the last key of the table,
// or of those that share its dotted prefix; a table without keys gets it below
// its header, the root before the first header.
func (p *positions) intoTable(owner *table, key, rest []string, value string) (span, string) {
	line := Dotted(rest) + " = " + value
	after := lastWith(owner, key[:len(key)-1])
	if after == nil && len(owner.entries) > 0 {
		after = owner.entries[len(owner.entries)-1]
	}
	switch {
	case after != nil:
		indent := p.indent(after.whole.start)
		at := p.lineEnd(after.whole.end)
		return span{at, at}, p.newline() + indent + line
	case len(owner.path) > 0:
		return span{owner.header.end, owner.header.end}, p.newline() + p.indent(owner.header.start) + line
	case len(p.tables) > 1:
		at := p.aboveComments(p.tables[1].header.start)
		return span{at, at}, line + p.newline() + p.newline()
	default:
		return p.atEnd(line + p.newline())
	}
}

// aboveComments is the start of the comment lines directly above a line.
func (p *positions) aboveComments(at int) int {
	for at > 0 {
		above := p.lineStart(at - 1)
		if !bytes.HasPrefix(bytes.TrimLeft(p.data[above:at], " \t"), []byte("#")) {
			break
		}
		at = above
	}
	return at
}

// newHeader appends the table of the key with the key in it.
func (p *positions) newHeader(key []string, value string) (span, string) {
	parent := key[:len(key)-1]
	text := "[" + Dotted(parent) + "]" + p.newline() + quoteKey(key[len(key)-1]) + " = " + value + p.newline()
	if len(bytes.TrimSpace(p.data)) > 0 {
		text = p.newline() + text
	}
	return p.atEnd(text)
}

func (p *positions) atEnd(text string) (span, string) {
	end := len(p.data)
	if end > 0 && p.data[end-1] != '\n' {
		text = p.newline() + text
	}
	return span{end, end}, text
}

// indent is the white space before the first character of the line at.
func (p *positions) indent(at int) string {
	line := p.data[p.lineStart(at):]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// removal lists the ranges to cut so that nothing of the key is left.
func (p *positions) removal(key []string) []span {
	var cuts []span
	for _, t := range p.tables {
		if len(t.path) >= len(key) && len(key) > 0 && hasPrefix(t.path, key) {
			cuts = append(cuts, p.wholeTable(t))
			continue
		}
		for _, e := range t.entries {
			cuts = append(cuts, p.entryRemoval(e, key)...)
		}
	}
	return cuts
}

// entryRemoval cuts a top-level entry, or members of its inline table.
func (p *positions) entryRemoval(e *entry, key []string) []span {
	if len(key) > 0 && hasPrefix(e.path, key) {
		return []span{{p.lineStart(e.whole.start), p.afterLine(e.whole.end)}}
	}
	return p.inlineRemoval(e, key)
}

// inlineRemoval cuts members together with the comma that joined them.
func (p *positions) inlineRemoval(owner *entry, key []string) []span {
	var cuts []span
	kept := false
	for i, member := range owner.members {
		if !hasPrefix(member.path, key) {
			cuts = append(cuts, p.inlineRemoval(member, key)...)
			kept = true
			continue
		}
		cut := member.whole
		switch {
		case kept: // with the comma before
			cut.start = owner.members[i-1].whole.end
		case i+1 < len(owner.members): // with the comma after
			cut.end = owner.members[i+1].whole.start
		}
		cuts = append(cuts, cut)
	}
	return cuts
}

// wholeTable is the range from a header to the end of its last key. Comments
// below that belong to what follows; one blank line goes along.
func (p *positions) wholeTable(t *table) span {
	end := t.header.end
	if len(t.entries) > 0 {
		end = t.entries[len(t.entries)-1].whole.end
	}
	cut := span{t.header.start, p.afterLine(end)}
	if next := p.afterLine(cut.end); len(bytes.TrimSpace(p.data[cut.end:next])) == 0 {
		cut.end = next
	}
	return cut
}

// Literal is TOML to be written as it stands: `["a", "b"]`.
type Literal string

// encode writes a value. quote is the wished string quote; a string that a
// literal cannot hold is written with double quotes.
func encode(value any, quote byte) (string, error) {
	switch v := value.(type) {
	case Literal:
		return string(v), nil
	case string:
		if !utf8.ValidString(v) {
			return "", fmt.Errorf("%q is not UTF-8", v)
		}
		if quote == '\'' && !strings.ContainsFunc(v, func(r rune) bool { return r == '\'' || r < ' ' || r == 0x7f }) {
			return "'" + v + "'", nil
		}
		return quoteString(v), nil
	case []string:
		items := make([]string, len(v))
		for i, item := range v {
			text, err := encode(item, '"')
			if err != nil {
				return "", err
			}
			items[i] = text
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case float64:
		text := fmt.Sprint(v)
		if !strings.ContainsAny(text, ".eEnN") {
			text += ".0"
		}
		return text, nil
	case bool, int, int64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("a %T cannot be written as TOML", value)
}

func quoteString(text string) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			quoted.WriteByte('\\')
			quoted.WriteRune(r)
		case r == '\n':
			quoted.WriteString(`\n`)
		case r == '\t':
			quoted.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&quoted, `\u%04X`, r)
		default:
			quoted.WriteRune(r)
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}

// quoteKey leaves a key bare where TOML allows it.
func quoteKey(part string) string {
	bare := part != "" && !strings.ContainsFunc(part, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	if bare {
		return part
	}
	return quoteString(part)
}
