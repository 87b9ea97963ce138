// Package tomledit changes single values of a TOML document by byte range, so
// that comments, order and white space of everything else stay as they were.
//
// It owns where a key is and how a value is written. It must not know what any
// key means: toolchain files, Cargo manifests and overrides are its callers'
// business. The grammar is that of github.com/pelletier/go-toml/v2, whose
// parser gives the ranges (package unstable); every edit is parsed again
// before it is accepted, so that a Document never holds invalid TOML.
package tomledit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// ErrNoKey is wrapped by errors about a key that is not in the document.
var ErrNoKey = errors.New("no such key")

// Document is one TOML text. Keys are given as the path from the root, one
// argument per part; an element of an array of tables is named by its position
// from 0: ("package", "0", "name").
type Document struct {
	mark []byte // the byte order mark, empty without one
	data []byte // the rest
}

// Parse reads a document; the error is go-toml's, with line and column.
func Parse(data []byte) (*Document, error) {
	mark, text, err := CutMark(data)
	if err == nil {
		err = valid(text)
	}
	if err != nil {
		return nil, err
	}
	return &Document{mark: bytes.Clone(mark), data: bytes.Clone(text)}, nil
}

// CutMark takes the byte order mark off a text, which editors put there and cargo and rustup pass over. A text that its mark
// shows to be UTF-16 is an error: TOML is UTF-8.
func CutMark(data []byte) (mark, text []byte, err error) {
	for _, utf16 := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(utf16)) {
			return nil, data, errors.New("1:1: the file is UTF-16, and TOML is UTF-8: save it as that")
		}
	}
	if text, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		return data[:len(data)-len(text)], text, nil
	}
	return nil, data, nil
}

// Bytes is the document as it stands now.
func (d *Document) Bytes() []byte { return slices.Concat(d.mark, d.data) }

// Value is what the document holds under a key.
type Value struct {
	Start, End int    // byte range of the value in Bytes
	Raw        string // the bytes as written: `"nightly"`
	Text       string // a string's content; empty for other kinds
	IsString   bool
}

// Get finds the value of a key. Tables written with a header have no single
// range and are not found.
func (d *Document) Get(key ...string) (Value, bool) {
	entry := index(d.data).entry(key)
	if entry == nil {
		return Value{}, false
	}
	return Value{
		Start: len(d.mark) + entry.value.start, End: len(d.mark) + entry.value.end,
		Raw:  string(d.data[entry.value.start:entry.value.end]),
		Text: entry.text, IsString: entry.isString,
	}, true
}

// Has tells whether the key is there, as a value or as a table.
func (d *Document) Has(key ...string) bool {
	at := index(d.data)
	return at.entry(key) != nil || at.isTable(key)
}

// Set gives a key a value: a string, bool, int, int64, float64, []string or
// Literal. A present key keeps its place and its comment; a new one goes below
// the last key of its table, and a table that is not there yet goes to the end
// of the document.
//
// It is an error to set what is a table, or to go through what is not one.
func (d *Document) Set(value any, key ...string) error {
	if len(key) == 0 {
		return errors.New("set: no key given")
	}
	if !utf8.ValidString(strings.Join(key, "\x00")) {
		return fmt.Errorf("set %q: a key must be UTF-8", key)
	}
	at := index(d.data)
	style := byte('"')
	if entry := at.entry(key); entry != nil {
		if d.data[entry.value.start] == '\'' {
			style = '\''
		}
		text, err := encode(value, style)
		if err != nil {
			return fmt.Errorf("set %s: %w", Dotted(key), err)
		}
		return d.replace(entry.value, text, "set "+Dotted(key))
	}
	if at.isTable(key) {
		return fmt.Errorf("set %s: it is a table", Dotted(key))
	}
	text, err := encode(value, style)
	if err != nil {
		return fmt.Errorf("set %s: %w", Dotted(key), err)
	}
	place, text, err := at.insertion(key, text)
	if err != nil {
		return fmt.Errorf("set %s: %w", Dotted(key), err)
	}
	return d.replace(place, text, "set "+Dotted(key))
}

// Delete removes a key with its line, or a table with all its headers, keys
// and sub-tables. Comment lines stay. An absent key is an error that is
// ErrNoKey.
func (d *Document) Delete(key ...string) error {
	ranges := index(d.data).removal(key)
	if len(ranges) == 0 {
		return fmt.Errorf("delete %s: %w", Dotted(key), ErrNoKey)
	}
	changed := bytes.Clone(d.data)
	slices.SortFunc(ranges, func(a, b span) int { return b.start - a.start })
	for _, cut := range ranges {
		changed = slices.Delete(changed, cut.start, cut.end)
	}
	return d.accept(changed, "delete "+Dotted(key))
}

func (d *Document) replace(place span, text, what string) error {
	changed := slices.Concat(d.data[:place.start], []byte(text), d.data[place.end:])
	return d.accept(changed, what)
}

// accept takes the changed text if it is still TOML.
func (d *Document) accept(changed []byte, what string) error {
	if err := valid(changed); err != nil {
		return fmt.Errorf("%s: the result would not be TOML: %w", what, err)
	}
	d.data = changed
	return nil
}

// valid checks syntax and that nothing is defined twice.
func valid(data []byte) error {
	var all map[string]any
	err := toml.Unmarshal(data, &all)
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, column := at.Position()
		return fmt.Errorf("%d:%d: %s", line, column, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return err
}

// Dotted is how a key is written in TOML.
func Dotted(key []string) string {
	parts := make([]string, len(key))
	for i, part := range key {
		parts[i] = quoteKey(part)
	}
	return strings.Join(parts, ".")
}
