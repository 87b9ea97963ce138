package tomlfile

import (
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/pannous/redox-clif/internal/tomledit"
)

// At builds a Problem that points at a key of the document, for checks that a
// type alone cannot express ("commit must be 40 hexadecimal digits"). key is
// the path from the root; an element of an array of tables or of a list is
// named by its position from 0, as in ("step", "0", "kind"). When the path is
// not in the document the nearest table that is there is pointed at: the
// message is then about something missing.
func At(path string, data []byte, key []string, format string, args ...any) *Problem {
	_, data, _ = tomledit.CutMark(data)
	doc := &document{path: path, data: data}
	if doc.parse() != nil {
		return doc.problem(span{}, format, args...)
	}
	l := &locator{want: key, best: -1}
	l.walk(data)
	return doc.problem(l.at, format, args...)
}

// locator finds the place of the longest prefix of a path.
type locator struct {
	want []string
	best int // length of the prefix that at belongs to, -1 at first
	at   span
}

func (l *locator) walk(data []byte) {
	var parser unstable.Parser
	parser.Reset(data)
	elements := map[string]int{} // array of tables -> elements so far
	inside := []string(nil)
	for parser.NextExpression() {
		node := parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			inside = l.header(node, elements)
		case unstable.KeyValue:
			l.keyValue(inside, node)
		}
	}
}

// header is the path of a table with the positions of the array elements in
// it.
func (l *locator) header(node *unstable.Node, elements map[string]int) []string {
	var inside []string
	for keys := node.Key(); keys.Next(); {
		key := keys.Node()
		inside = append(inside, string(key.Data))
		name := dotted(inside)
		if keys.IsLast() && node.Kind == unstable.ArrayTable {
			elements[name]++
		}
		if count := elements[name]; count > 0 {
			inside = append(inside, strconv.Itoa(count-1))
		}
		l.see(inside, spanOfNode(key))
	}
	return inside
}

func (l *locator) keyValue(inside []string, node *unstable.Node) {
	path := slices.Clone(inside)
	for keys := node.Key(); keys.Next(); {
		path = append(path, string(keys.Node().Data))
		l.see(path, spanOfNode(keys.Node()))
	}
	l.value(path, node.Value())
}

func (l *locator) value(path []string, node *unstable.Node) {
	index := 0
	for members := node.Children(); members.Next(); {
		member := members.Node()
		switch {
		case node.Kind == unstable.InlineTable:
			l.keyValue(path, member)
		case node.Kind == unstable.Array:
			item := append(slices.Clone(path), strconv.Itoa(index))
			if member.Raw.Length > 0 {
				l.see(item, spanOfNode(member))
			}
			l.value(item, member)
			index++
		}
	}
}

// see keeps a place when it is a longer prefix of the wanted path than what is
// known.
func (l *locator) see(path []string, at span) {
	if len(path) > l.best && len(path) <= len(l.want) && slices.Equal(path, l.want[:len(path)]) {
		l.best, l.at = len(path), at
	}
}
