package reference

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// table is what a table of a file takes.
type table struct {
	Type reflect.Type
	Doc  string
	Keys []key
}

type key struct {
	Name            string
	Doc             string
	Required, OneOf bool
	Value           value
}

// form is what kind of value a key takes.
type form string

// The forms, by the names of JSON Schema where it has one.
const (
	formString  form = "string"
	formInteger form = "integer"
	formNumber  form = "number"
	formBool    form = "boolean"
	formList    form = "array"
	formMap     form = "map" // a table with keys of the user's own
	formTable   form = "table"
	formAny     form = "any"
)

type value struct {
	Form form
	// Item is a list's or a map's, Table a table's, Enum the values of a string that takes only these.
	Item  *value
	Table *table
	Enum  []enumValue
	// Pointer says that an empty string is not the same as none.
	Pointer bool
	// Low and High are the limits of an integer of less than 64 bits.
	Low, High *uint64
}

type enumValue struct{ Name, Doc string }

// modeller makes the model of a type and its comments.
type modeller struct{ comments *comments }

func (m *modeller) table(t reflect.Type) (*table, error) {
	doc, err := m.comments.of(t, "")
	if err != nil {
		return nil, err
	}
	made := &table{Type: t, Doc: tableDoc(doc, t.Name())}
	for _, k := range tomlfile.Keys(t) {
		doc, err := m.comments.of(k.Struct, k.Field.Name)
		if err != nil {
			return nil, err
		}
		v, err := m.value(k.Field.Type)
		if err != nil {
			return nil, err
		}
		made.Keys = append(made.Keys, key{k.Name, keyDoc(doc, k.Field.Name, k.Name), k.Required, k.OneOf, *v})
	}
	return made, nil
}

func (m *modeller) value(t reflect.Type) (*value, error) {
	if t.Kind() == reflect.Pointer {
		v, err := m.value(t.Elem())
		if err == nil {
			v.Pointer = true
		}
		return v, err
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return &value{Form: formString}, nil
	}
	switch t.Kind() {
	case reflect.String:
		enum, err := m.enum(t)
		return &value{Form: formString, Enum: enum}, err
	case reflect.Bool:
		return &value{Form: formBool}, nil
	case reflect.Float32, reflect.Float64:
		return &value{Form: formNumber}, nil
	case reflect.Interface:
		return &value{Form: formAny}, nil
	case reflect.Slice:
		item, err := m.value(t.Elem())
		return &value{Form: formList, Item: item}, err
	case reflect.Map:
		item, err := m.value(t.Elem())
		return &value{Form: formMap, Item: item}, err
	case reflect.Struct:
		below, err := m.table(t)
		return &value{Form: formTable, Table: below}, err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &value{Form: formInteger}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		_, high := tomlfile.Limits(t)
		return &value{Form: formInteger, Low: new(uint64), High: &high}, nil
	}
	return nil, fmt.Errorf("%s: the reference knows no form for it", t)
}

func (m *modeller) enum(t reflect.Type) ([]enumValue, error) {
	var all []enumValue
	for _, name := range tomlfile.ValuesOf(t) {
		doc, err := m.comments.ofValue(t, name)
		if err != nil {
			return nil, err
		}
		all = append(all, enumValue{name, joinLines(doc)})
	}
	return all, nil
}

var isOrAre = regexp.MustCompile(`^(is|are) `)

// withoutName is a comment without the Go name that it begins with when the name "is" something; the second result is what follows the
// name otherwise.
func withoutName(comment, name string) (text, verb string) {
	text = joinLines(comment)
	rest, begins := strings.CutPrefix(text, name+" ")
	if is := isOrAre.FindString(rest); begins && is == "" {
		return text, rest
	} else if begins {
		text = rest[len(is):]
	}
	return text, ""
}

// keyDoc is the comment on a field as one on its key: "Size is the whole image's" is "The whole image's", and "Where says how" is
// "`where` says how".
func keyDoc(comment, field, key string) string {
	text, verb := withoutName(comment, field)
	if verb != "" {
		return "`" + key + "` " + verb
	}
	return capital(text)
}

// tableDoc is the comment on a type as one on the table, or on the file: "Recipe is recipes/<name>/recipe.toml: what is built" is "What
// is built".
func tableDoc(comment, name string) string {
	text, verb := withoutName(comment, name)
	if path, what, ok := strings.Cut(text, ": "); ok && strings.Contains(path, ".toml") {
		text = what
	}
	if verb != "" {
		text = verb
	}
	return capital(text)
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// joinLines makes one line of each paragraph.
func joinLines(comment string) string {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(comment), "\n\n") {
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		if strings.HasPrefix(paragraph, "\t") {
			b.WriteString(strings.ReplaceAll("\n"+paragraph, "\n\t", "\n    ")[1:])
			continue
		}
		b.WriteString(strings.Join(strings.Fields(paragraph), " "))
	}
	return b.String()
}
