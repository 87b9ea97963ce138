package tomlfile

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// missing lists the required keys that are not there, and the tables that have none or several of the keys of which they need one.
func (d *document) missing(t reflect.Type, tables map[string]any) []*Problem {
	p := &presence{doc: d}
	p.value(t, nil, tables)
	return p.problems
}

// presence walks the values of a document beside a Go type.
type presence struct {
	doc      *document
	problems []*Problem
}

func (p *presence) value(t reflect.Type, path []string, value any) {
	t = indirect(t)
	switch v := value.(type) {
	case map[string]any:
		p.table(t, path, v)
	case []any:
		if t.Kind() == reflect.Slice {
			for i, item := range v {
				p.value(t.Elem(), below(path, strconv.Itoa(i)), item)
			}
		}
	}
}

func (p *presence) table(t reflect.Type, path []string, table map[string]any) {
	switch t.Kind() {
	case reflect.Map:
		for _, key := range slices.Sorted(maps.Keys(table)) {
			p.value(t.Elem(), below(path, key), table[key])
		}
	case reflect.Struct:
		keys := Keys(t)
		for _, k := range keys {
			p.key(k, below(path, k.Name), table)
		}
		p.oneOf(keys, path, table)
	}
}

func (p *presence) key(k Key, path []string, table map[string]any) {
	value, there := table[k.Name]
	switch {
	case !there && k.Required:
		p.report(path, "%s is missing%s", name(path), choice(k.Field.Type))
	case there && (k.Required || k.OneOf) && empty(k.Field.Type, value) != "":
		p.report(path, "%s is %s", name(path), empty(k.Field.Type, value))
	case there:
		p.value(k.Field.Type, path, value)
	}
}

// empty describes a value that is what the field would be without it, and is "" for any other. A field that is a pointer tells the
// two apart, so that an empty text is a text there.
func empty(t reflect.Type, value any) string {
	switch v := value.(type) {
	case string:
		if v == "" && t.Kind() != reflect.Pointer {
			return "empty"
		}
	case []any:
		if len(v) == 0 {
			return "empty"
		}
	case bool:
		if !v && t.Kind() != reflect.Pointer {
			return "false"
		}
	}
	return ""
}

// choice is what can be written, for the keys of an enumeration.
func choice(t reflect.Type) string {
	if values := ValuesOf(t); values != nil {
		return ": one of " + strings.Join(values, ", ")
	}
	return ""
}

func (p *presence) oneOf(keys []Key, path []string, table map[string]any) {
	var all, given []string
	for _, k := range keys {
		if !k.OneOf {
			continue
		}
		all = append(all, k.Name)
		if _, there := table[k.Name]; there {
			given = append(given, k.Name)
		}
	}
	if len(all) == 0 || len(given) == 1 {
		return
	}
	has := "none"
	if len(given) > 0 {
		has = strings.Join(given, " and ")
	}
	where := "the file"
	if len(path) > 0 {
		where = name(path)
	}
	p.report(path, "%s must have exactly one of %s, has %s", where, strings.Join(all, ", "), has)
}

func (p *presence) report(path []string, format string, args ...any) {
	p.problems = append(p.problems, At(p.doc.path, p.doc.data, path, format, args...))
}

// below is a longer path in memory of its own.
func below(path []string, key string) []string { return append(slices.Clip(path), key) }
