package tomledit

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// span is a byte range of the document.
type span struct{ start, end int }

// entry is one `key = value`, at the top level or in an inline table.
type entry struct {
	path     []string
	whole    span // from the first key part to the end of the value
	value    span
	text     string // content of a string
	isString bool
	inline   *entry // the entry whose inline table this one is in, nil at the top level
	isTable  bool   // the value is an inline table
	isArray  bool   // the value is an array
	members  []*entry
}

// table is one [header] with its body; the root is the first one.
type table struct {
	path    []string
	array   bool // [[header]]
	header  span // the whole header line without its line end; empty for the root
	entries []*entry
}

// positions is where everything of a document is.
type positions struct {
	data     []byte
	tables   []*table
	elements map[string]int // [[path]] -> how many
}

// index walks a valid document.
func index(data []byte) *positions {
	p := &positions{data: data, tables: []*table{{}}, elements: map[string]int{}}
	var parser unstable.Parser
	parser.Reset(data)
	for parser.NextExpression() {
		node := parser.Expression()
		current := p.tables[len(p.tables)-1]
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			p.tables = append(p.tables, p.newTable(node))
		case unstable.KeyValue:
			current.entries = append(current.entries, p.newEntry(current.path, node, nil))
		}
	}
	return p
}

// newTable resolves a header; parts that are arrays of tables get the position
// of their newest element.
func (p *positions) newTable(node *unstable.Node) *table {
	t := &table{array: node.Kind == unstable.ArrayTable}
	end := 0
	for keys := node.Key(); keys.Next(); {
		key := keys.Node()
		if len(t.path) == 0 {
			t.header.start = p.lineStart(int(key.Raw.Offset))
		}
		end = int(key.Raw.Offset + key.Raw.Length)
		t.path = append(t.path, string(key.Data))
		name := Dotted(t.path)
		if keys.IsLast() && t.array {
			p.elements[name]++
		}
		if count := p.elements[name]; count > 0 {
			t.path = append(t.path, strconv.Itoa(count-1))
		}
	}
	t.header.end = p.lineEnd(end)
	return t
}

func (p *positions) newEntry(inside []string, node *unstable.Node, parent *entry) *entry {
	e := &entry{path: slices.Clone(inside), inline: parent}
	e.whole = span{int(node.Raw.Offset), int(node.Raw.Offset + node.Raw.Length)}
	end := e.whole.start
	for keys := node.Key(); keys.Next(); {
		key := keys.Node()
		e.path = append(e.path, string(key.Data))
		end = int(key.Raw.Offset + key.Raw.Length)
	}
	rest := p.data[end:e.whole.end]
	e.value = span{e.whole.end - len(bytes.TrimLeft(rest, " \t=")), e.whole.end}
	value := node.Value()
	switch value.Kind {
	case unstable.String:
		e.text, e.isString = string(value.Data), true
	case unstable.Array:
		e.isArray = true
	case unstable.InlineTable:
		e.isTable = true
		for members := value.Children(); members.Next(); {
			if member := members.Node(); member.Kind == unstable.KeyValue {
				e.members = append(e.members, p.newEntry(e.path, member, e))
			}
		}
	}
	return e
}

// all calls visit for every entry, members of inline tables after their owner.
func (p *positions) all(visit func(*table, *entry)) {
	var walk func(*table, []*entry)
	walk = func(t *table, entries []*entry) {
		for _, e := range entries {
			visit(t, e)
			walk(t, e.members)
		}
	}
	for _, t := range p.tables {
		walk(t, t.entries)
	}
}

func (p *positions) entry(key []string) *entry {
	var found *entry
	p.all(func(_ *table, e *entry) {
		if found == nil && slices.Equal(e.path, key) {
			found = e
		}
	})
	return found
}

// isTable tells whether the key is a table that is not one inline value: by a
// header, or implied by a longer header or dotted key.
func (p *positions) isTable(key []string) bool {
	for _, t := range p.tables {
		if hasPrefix(t.path, key) {
			return true
		}
	}
	found := false
	p.all(func(_ *table, e *entry) {
		found = found || e.inline == nil && len(e.path) > len(key) && hasPrefix(e.path, key)
	})
	return found
}

func hasPrefix(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

func (p *positions) lineStart(at int) int { return bytes.LastIndexByte(p.data[:at], '\n') + 1 }

// lineEnd is the end of the line without its line end.
func (p *positions) lineEnd(at int) int {
	end := len(p.data)
	if next := bytes.IndexByte(p.data[at:], '\n'); next >= 0 {
		end = at + next
	}
	if end > at && p.data[end-1] == '\r' {
		end--
	}
	return end
}

// afterLine is the offset of the next line.
func (p *positions) afterLine(at int) int {
	if next := bytes.IndexByte(p.data[at:], '\n'); next >= 0 {
		return at + next + 1
	}
	return len(p.data)
}

// newline is the document's own line end.
func (p *positions) newline() string {
	if next := bytes.IndexByte(p.data, '\n'); next > 0 && p.data[next-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}
