// Package tomlfile decodes the project's own TOML files strictly: every
// unknown key, every value of the wrong type or none of an enumeration's, and
// every key that has to be there and is not, is reported in one go, with file,
// line, column, the source line and a caret.
//
// It owns the walk of a document beside the Go type it is decoded into, what the
// struct tags say of keys, and the form of the message. Package reference makes
// the JSON schemas of what is accepted here. It must not know any particular file: recipes,
// target specs and pins bring their own types. Files written by others
// (Cargo.toml and the like) are not read with this package, since a key that
// we do not know is no mistake there.
//
// The grammar is that of github.com/pelletier/go-toml/v2. Its decoder stops at
// the first wrong type, so the walk here goes over the parser's syntax tree
// (package unstable) with the reflect.Type, and the decoder proper runs only
// when the walk has found nothing.
package tomlfile

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/tomledit"
)

// Decode fills into, a non-nil pointer to a struct or map, from data. path is
// used in messages only. Each of more finds what no type can say, by [At]; it is
// asked when into is filled.
//
// The error is a *multierror.Error whose members are *Problem, in the order of
// the document; into is untouched when one is about a key or a type. Keys are
// matched exactly as written in the field's toml tag: go-toml's tolerance of
// another letter case is a typo here.
func Decode(path string, data []byte, into any, more ...func() []*Problem) error {
	_, data, _ = tomledit.CutMark(data)
	// Of Windows' line ends only those between lines would be left out by the format: in a text of several lines they would stay, and reach
	// a source by a patch. Who wants one in a text writes \r\n.
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	doc := &document{path: path, data: data}
	if err := doc.parse(); err != nil {
		return doc.failure([]*Problem{err})
	}
	wrong, values, err := check(doc, into)
	if err != nil {
		return err
	}
	tables, dup := doc.tables()
	if dup != nil {
		wrong = appendNew(wrong, dup)
	}
	if len(wrong) > 0 { // a key that seems to be missing then is a misspelt one mostly
		return doc.failure(append(wrong, values...))
	}
	problems := append(values, doc.missing(reflect.TypeOf(into), tables)...)
	// Nothing should be left to find; if the decoder still objects, its own
	// message is passed on rather than lost.
	decoder := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return doc.failure(doc.fromDecoder(err))
	}
	var found []*Problem
	for _, find := range more {
		found = append(found, find()...)
	}
	if problems = appendNew(problems, found...); len(problems) > 0 {
		return doc.failure(problems)
	}
	return nil
}

// document is one TOML text and the name it goes by in messages.
type document struct {
	path string
	data []byte
}

// parse goes over the whole text once, so that the later walk cannot fail.
func (d *document) parse() *Problem {
	if _, _, err := tomledit.CutMark(d.data); err != nil {
		return d.problem(span{}, "%s", strings.TrimPrefix(err.Error(), "1:1: "))
	}
	var parser unstable.Parser
	parser.Reset(d.data)
	for parser.NextExpression() {
		// Only the parser's verdict is wanted.
	}
	err := parser.Error()
	if err == nil {
		return nil
	}
	var syntax *unstable.ParserError
	if !errors.As(err, &syntax) {
		return d.problem(span{}, "%v", err)
	}
	return d.problem(d.spanOf(syntax.Highlight), "%s", syntax.Message)
}

// tables are the document's values. The problem is a key or table that is defined
// twice, which the grammar alone does not see.
func (d *document) tables() (map[string]any, *Problem) {
	var all map[string]any
	if err := toml.Unmarshal(d.data, &all); err != nil {
		return nil, d.fromDecoder(err)[0]
	}
	return all, nil
}

// fromDecoder translates what go-toml reports; it never returns an empty list.
func (d *document) fromDecoder(err error) []*Problem {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) && len(missing.Errors) > 0 {
		var problems []*Problem
		for i := range missing.Errors {
			problems = append(problems, d.fromDecodeError(&missing.Errors[i]))
		}
		return problems
	}
	var one *toml.DecodeError
	if errors.As(err, &one) {
		return []*Problem{d.fromDecodeError(one)}
	}
	return []*Problem{d.problem(span{}, "%v", err)}
}

func (d *document) fromDecodeError(err *toml.DecodeError) *Problem {
	line, column := err.Position()
	at := span{start: d.offset(line, column)}
	at.end = at.start + 1
	return d.problem(at, "%s", bytes.TrimPrefix([]byte(err.Error()), []byte("toml: ")))
}

// failure is the error for a list of problems, sorted by position.
func (d *document) failure(problems []*Problem) error {
	sort.SliceStable(problems, func(i, j int) bool {
		a, b := problems[i], problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	all := &multierror.Error{ErrorFormat: errs.Lines}
	for _, problem := range problems {
		all.Errors = append(all.Errors, problem)
	}
	return all
}

// appendNew adds problems unless one was reported at the same line before.
func appendNew(problems []*Problem, next ...*Problem) []*Problem {
	all := problems
	for _, one := range next {
		if !slices.ContainsFunc(problems, func(known *Problem) bool { return known.Line == one.Line }) {
			all = append(all, one)
		}
	}
	return all
}
