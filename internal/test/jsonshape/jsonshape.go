// Package jsonshape holds what targets print with -json to docs/json.md, which has the keys of each and the kinds of their values.
//
// It owns the form in which a shape is written. It must not know what a target is.
package jsonshape

import (
	"encoding"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// page is seen from a package two folders below internal.
const page = "../../../docs/json.md"

// Check compares the shape of a result with the block that the page has below the target's heading. A key that changes its meaning or goes away
// is another schema: see ui.JSONSchema.
func Check(t *testing.T, target string, result any) {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(page))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+target+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, open := strings.Cut(section, "```text\n")
	block, _, closed := strings.Cut(block, "```")
	if want := Of(reflect.TypeOf(result)); !found || !open || !closed || block != want {
		t.Errorf("docs/json.md has for %s\n%s\nand it is\n%s", target, block, want)
	}
}

// Of is a shape: a line for each key, with its path from the result and the kind of its value. What may be missing has a question mark.
func Of(t reflect.Type) string {
	var lines []string
	add(&lines, "", t, nil)
	return strings.Join(lines, "\n") + "\n"
}

func add(lines *[]string, at string, t reflect.Type, above []reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch own := kindOf(t); {
	case own != "":
		*lines = append(*lines, strings.TrimSpace(at+" "+own))
	case slices.Contains(above, t):
		*lines = append(*lines, strings.TrimSpace(at+" as above"))
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		add(lines, at+"[]", t.Elem(), append(above, t))
	case t.Kind() == reflect.Map:
		add(lines, at+"{}", t.Elem(), append(above, t))
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			addField(lines, at, t.Field(i), append(above, t))
		}
	default:
		*lines = append(*lines, strings.TrimSpace(at+" "+t.Kind().String()))
	}
}

func addField(lines *[]string, at string, f reflect.StructField, above []reflect.Type) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case name == "-" || !f.IsExported() && !f.Anonymous:
		return
	case f.Anonymous && name == "":
		add(lines, at, f.Type, above)
		return
	case name == "":
		name = f.Name
	}
	if options == "omitempty" || options == "omitzero" {
		name += "?"
	}
	add(lines, strings.TrimPrefix(at+"."+name, "."), f.Type, above)
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// kindOf is what a value is in JSON, "" for what consists of others.
func kindOf(t reflect.Type) string {
	switch {
	case t.Implements(marshaler) || t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler):
		return "text"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Interface:
		return "anything"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64:
		return "number"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "text"
	}
	return ""
}
