package tomlfile

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Key is a key that a table decoded into a struct takes.
type Key struct {
	// Name is the key as it is written.
	Name string
	// Field is the struct's field, Struct the type that declares it: of an embedded struct's fields that one.
	Field  reflect.StructField
	Struct reflect.Type
	// Required says that the key has to be there, OneOf that exactly one of the table's keys that say so has to be.
	Required, OneOf bool
	// Was is what the key was called before, "" for one that always was called so.
	Was string
}

// Keys are the keys that a struct takes, in the order of its fields. The toml tags are read as go-toml does: a tag of "-" hides
// the field, a field without a tag goes by its Go name, and an embedded struct without a tag lends its fields. The options
// "required", "oneof" and "was=NAME" of a tag are this package's own.
func Keys(t reflect.Type) []Key {
	var keys []Key
	add := func(k Key, embedded bool) {
		at := slices.IndexFunc(keys, func(known Key) bool { return known.Name == k.Name })
		switch {
		case at < 0:
			keys = append(keys, k)
		case !embedded:
			keys[at] = k
		}
	}
	for i := range t.NumField() {
		field := t.Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("toml"), ",")
		switch {
		case tag == "-":
		case field.Anonymous && tag == "" && indirect(field.Type).Kind() == reflect.Struct:
			for _, lent := range Keys(indirect(field.Type)) {
				add(lent, true)
			}
		case field.IsExported():
			has := func(option string) bool { return slices.Contains(strings.Split(options, ","), option) }
			add(Key{cmp.Or(tag, field.Name), field, t, has("required"), has("oneof"), was(options)}, false)
		}
	}
	return keys
}

// was is the former name in the options of a tag.
func was(options string) string {
	for _, option := range strings.Split(options, ",") {
		if name, ok := strings.CutPrefix(option, "was="); ok {
			return name
		}
	}
	return ""
}

// keyNames are the names in the order of the alphabet.
func keyNames(keys []Key) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	slices.Sort(names)
	return names
}

// Enum is a type of string that takes a few values only. Decode accepts no others.
type Enum interface{ Values() []string }

// Values are constants as an [Enum] lists them.
func Values[T ~string](all ...T) []string {
	list := make([]string, len(all))
	for i, v := range all {
		list[i] = string(v)
	}
	return list
}

// ValuesOf are the values of an [Enum] type, nil for any other type.
func ValuesOf(t reflect.Type) []string {
	if enum, ok := reflect.Zero(indirect(t)).Interface().(Enum); ok {
		return enum.Values()
	}
	return nil
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func isTime(t reflect.Type) bool {
	return t == instant || t == localDate || t == localTime || t == localDateTime
}

// isMoment tells whether a date or time of this kind fits the type.
func isMoment(t reflect.Type, kind unstable.Kind) bool {
	switch t {
	case localDate:
		return kind == unstable.LocalDate
	case localTime:
		return kind == unstable.LocalTime
	case localDateTime:
		return kind == unstable.LocalDateTime || kind == unstable.LocalDate
	default:
		return kind == unstable.DateTime || kind == unstable.LocalDateTime || kind == unstable.LocalDate
	}
}

// isScalar tells whether TOML holds the type in one token.
func isScalar(t reflect.Type) bool {
	if isTime(t) || reflect.PointerTo(t).Implements(textUnmarshaler) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Interface:
		return false
	}
	return true
}

func isTable(t reflect.Type) bool {
	return !isScalar(t) && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map || t.Kind() == reflect.Interface)
}

// describe names what a type wants, for "must be ...".
func describe(t reflect.Type) string {
	t = indirect(t)
	switch {
	case t == localDate:
		return "a date"
	case t == localTime:
		return "a time of day"
	case isTime(t):
		return "a date with a time"
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return "a string"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "a table"
	case reflect.Slice, reflect.Array:
		switch item := describe(t.Elem()); item {
		case "a string":
			return "a list of strings"
		case "a table":
			return "a list of tables"
		default:
			return "a list"
		}
	case reflect.Interface:
		return "any value"
	}
	return "an integer"
}

// describeNode names what the document holds, for "is ...".
func describeNode(node *unstable.Node) string {
	switch node.Kind {
	case unstable.String:
		return "a string"
	case unstable.Bool:
		return string(node.Data)
	case unstable.Integer:
		return "an integer"
	case unstable.Float:
		return "a number with a fraction"
	case unstable.Array:
		return "a list"
	case unstable.InlineTable, unstable.Table:
		return "a table"
	case unstable.ArrayTable:
		return "an array of tables"
	}
	return "a date or time"
}

// nearest is the known word that a typo most likely meant, or "". Dashes and
// underscores count as the same letter.
func nearest(word string, known []string) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "-")) }
	limit, best := max(1, len(word)/3), ""
	for _, candidate := range known {
		if distance := editDistance(plain(word), plain(candidate)); distance <= limit {
			limit, best = distance-1, candidate
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbouring bytes (optimal string alignment).
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
