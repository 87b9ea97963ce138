package tomlfile

import (
	"bytes"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

var (
	textUnmarshaler = reflect.TypeOf((*encoding.TextUnmarshaler)(nil)).Elem()
	localDate       = reflect.TypeOf(toml.LocalDate{})
	localTime       = reflect.TypeOf(toml.LocalTime{})
	localDateTime   = reflect.TypeOf(toml.LocalDateTime{})
	instant         = reflect.TypeOf(time.Time{})
)

// checker walks a document beside a Go type.
type checker struct {
	doc      *document
	problems []*Problem
	values   []*Problem      // values that are none of an enumeration's, which can be decoded all the same
	unknown  map[string]bool // dotted paths already reported, so that [a] and [a.b] are one problem
	keys     map[reflect.Type][]Key
}

// check lists everything in the document that does not fit the type of into, and
// the values that fit it and are none of an enumeration's. The error is about into
// itself and never about the document.
func check(doc *document, into any) (wrong, values []*Problem, err error) {
	root := reflect.TypeOf(into)
	if root == nil || root.Kind() != reflect.Pointer || reflect.ValueOf(into).IsNil() {
		return nil, nil, fmt.Errorf("decode %s: want a non-nil pointer, got %T", doc.path, into)
	}
	c := &checker{doc: doc, unknown: map[string]bool{}, keys: map[reflect.Type][]Key{}}
	c.walk(root.Elem())
	return c.problems, c.values, nil
}

// walk visits the top-level expressions. Where a table header cannot be
// resolved its keys are skipped: the header is the mistake.
func (c *checker) walk(root reflect.Type) {
	var parser unstable.Parser
	parser.Reset(c.doc.data)
	here, inside := root, []string(nil)
	for parser.NextExpression() {
		node := parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			here, inside = c.header(root, node)
		case unstable.KeyValue:
			if here != nil {
				c.keyValue(here, inside, node)
			}
		}
	}
}

// header resolves [a.b] or [[a.b]] from the root; nil when it cannot.
func (c *checker) header(root reflect.Type, node *unstable.Node) (reflect.Type, []string) {
	here, inside := root, []string(nil)
	for keys := node.Key(); keys.Next(); {
		key := keys.Node()
		last := keys.IsLast()
		here = c.member(here, inside, key)
		if here == nil {
			return nil, nil
		}
		inside = append(inside, string(key.Data))
		here = c.table(here, key, inside, last && node.Kind == unstable.ArrayTable, last)
		if here == nil {
			return nil, nil
		}
	}
	return here, inside
}

// table is the type of one table named by a header key of type t, nil with a
// problem when t is no table. A key before the last may pass through the
// newest element of an array of tables.
func (c *checker) table(t reflect.Type, key *unstable.Node, inside []string, array, last bool) reflect.Type {
	t = indirect(t)
	if t.Kind() == reflect.Interface {
		return t
	}
	isList := (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && !isScalar(t)
	if isList && (array || !last) {
		t = indirect(t.Elem())
	} else if array {
		c.report(spanOfNode(key), "%s must be %s, is an array of tables", name(inside), describe(t))
		return nil
	}
	if !isTable(t) {
		c.report(spanOfNode(key), "%s must be %s, is a table", name(inside), describe(t))
		return nil
	}
	return t
}

// keyValue checks one assignment inside the table type here.
func (c *checker) keyValue(here reflect.Type, inside []string, node *unstable.Node) {
	path := append([]string(nil), inside...)
	var last *unstable.Node
	for keys := node.Key(); keys.Next(); {
		key := keys.Node()
		if last != nil {
			if here = c.table(here, last, path, false, true); here == nil {
				return
			}
		}
		here = c.member(here, path, key)
		if here == nil {
			return
		}
		path = append(path, string(key.Data))
		last = key
	}
	c.value(here, path, node.Value(), c.valueSpan(node, last))
}

// member is the type of the value under key in the table type t, nil with a
// problem when t has no such key.
func (c *checker) member(t reflect.Type, inside []string, key *unstable.Node) reflect.Type {
	t = indirect(t)
	switch t.Kind() {
	case reflect.Map:
		return t.Elem()
	case reflect.Interface:
		return t
	case reflect.Struct:
		known := c.keysOf(t)
		for _, k := range known {
			if k.Name == string(key.Data) {
				return k.Field.Type
			}
		}
		c.reportUnknown(inside, key, known)
	}
	return nil
}

// keysOf is asked for the same few types by every key of a document.
func (c *checker) keysOf(t reflect.Type) []Key {
	known, ok := c.keys[t]
	if !ok {
		known = Keys(t)
		c.keys[t] = known
	}
	return known
}

func (c *checker) reportUnknown(inside []string, key *unstable.Node, keys []Key) {
	word := string(key.Data)
	path := strings.Join(append(append([]string(nil), inside...), word), "\x00")
	if c.unknown[path] {
		return
	}
	c.unknown[path] = true
	if i := slices.IndexFunc(keys, func(k Key) bool { return k.Was == word }); i >= 0 {
		c.report(spanOfNode(key), "key %q is called %q now", dotted(below(inside, word)), dotted(below(inside, keys[i].Name)))
		return
	}
	known := keyNames(keys)
	message := fmt.Sprintf("unknown key %q", word)
	if len(inside) > 0 {
		message += " in " + dotted(inside)
	}
	if near := nearest(word, known); near != "" {
		message += fmt.Sprintf("; did you mean %q?", near)
	} else if len(known) > 0 {
		message += "; known here: " + strings.Join(known, ", ")
	}
	c.report(spanOfNode(key), "%s", message)
}

// value checks one value against type t; at is where to point when the node
// itself carries no place.
func (c *checker) value(t reflect.Type, path []string, node *unstable.Node, at span) {
	if node.Raw.Length > 0 {
		at = spanOfNode(node)
	}
	t = indirect(t)
	switch {
	case t.Kind() == reflect.Interface:
	case isScalar(t):
		c.scalar(t, path, node, at)
	case node.Kind == unstable.InlineTable && isTable(t):
		for members := node.Children(); members.Next(); {
			if member := members.Node(); member.Kind == unstable.KeyValue {
				c.keyValue(t, path, member)
			}
		}
	case node.Kind == unstable.Array && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		c.elements(t, path, node, at)
	default:
		c.wrong(t, path, node, at)
	}
}

func (c *checker) elements(t reflect.Type, path []string, node *unstable.Node, at span) {
	index := 0
	for items := node.Children(); items.Next(); {
		item := items.Node()
		if item.Kind == unstable.Comment {
			continue
		}
		c.value(t.Elem(), append(path[:len(path):len(path)], strconv.Itoa(index)), item, at)
		index++
	}
}

// scalar checks a value that the TOML side holds in one token.
func (c *checker) scalar(t reflect.Type, path []string, node *unstable.Node, at span) {
	if reflect.PointerTo(t).Implements(textUnmarshaler) && !isTime(t) {
		c.text(t, path, node, at)
		return
	}
	ok := false
	switch t.Kind() {
	case reflect.String:
		if ok = node.Kind == unstable.String; ok {
			c.enum(t, path, node, at)
		}
	case reflect.Bool:
		ok = node.Kind == unstable.Bool
	case reflect.Float32, reflect.Float64:
		ok = node.Kind == unstable.Float || node.Kind == unstable.Integer
	case reflect.Struct: // one of the time types
		ok = isMoment(t, node.Kind)
	default:
		if ok = node.Kind == unstable.Integer; ok {
			c.integer(t, path, node, at)
		}
	}
	if !ok {
		c.wrong(t, path, node, at)
	}
}

// text lets the type itself judge the string.
func (c *checker) text(t reflect.Type, path []string, node *unstable.Node, at span) {
	if node.Kind != unstable.String {
		c.wrong(reflect.TypeOf(""), path, node, at)
		return
	}
	judge := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	if err := judge.UnmarshalText(bytes.Clone(node.Data)); err != nil {
		c.report(at, "%s: %v", name(path), err)
	}
}

// enum holds a string to the values of its type, if that has a list of them.
func (c *checker) enum(t reflect.Type, path []string, node *unstable.Node, at span) {
	if values := ValuesOf(t); values != nil && !slices.Contains(values, string(node.Data)) {
		c.values = append(c.values, c.doc.problem(at, "%s is %q, not one of %s", name(path), node.Data, strings.Join(values, ", ")))
	}
}

// integer checks the range, which go-toml would report one at a time.
func (c *checker) integer(t reflect.Type, path []string, node *unstable.Node, at span) {
	number, err := strconv.ParseInt(strings.ReplaceAll(string(node.Data), "_", ""), 0, 64)
	if err != nil {
		// TOML allows no leading zero, so base 0 reads every TOML integer: what
		// is left is one beyond 64 bits.
		c.report(at, "%s is out of range", name(path))
		return
	}
	if low, high := Limits(t); number < low || uint64(max(number, 0)) > high {
		c.report(at, "%s must be between %d and %d, is %d", name(path), low, high, number)
	}
}

// Limits are the smallest and the largest value of an integer type.
func Limits(t reflect.Type) (low int64, high uint64) {
	bits := t.Bits()
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return math.MinInt64 >> (64 - bits), uint64(math.MaxInt64 >> (64 - bits))
	default:
		return 0, math.MaxUint64 >> (64 - bits)
	}
}

func (c *checker) wrong(t reflect.Type, path []string, node *unstable.Node, at span) {
	c.report(at, "%s must be %s, is %s", name(path), describe(t), describeNode(node))
}

func (c *checker) report(at span, format string, args ...any) {
	c.problems = append(c.problems, c.doc.problem(at, format, args...))
}

// valueSpan points at the first character of the value of an assignment; the
// parser gives arrays and inline tables no place of their own.
func (c *checker) valueSpan(node, lastKey *unstable.Node) span {
	at := spanOfNode(lastKey).end
	rest := c.doc.data[at:]
	at += len(rest) - len(bytes.TrimLeft(rest, " \t="))
	return span{at, at + 1}
}

// name is how a message calls the value at path: items of a list by position.
func name(path []string) string { return fmt.Sprintf("key %q", dotted(path)) }

func dotted(path []string) string { return strings.Join(path, ".") }
