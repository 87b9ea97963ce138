package tomledit

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

func TestSet(t *testing.T) {
	tests := []struct {
		name, text, key string
		value           any
		want            string
	}{
		{"replace keeps the rest of the line", "[toolchain]\n  channel  =  \"nightly\"   # why\ncomponents = [\"a\"]\n", "toolchain.channel", "nightly-2026-01-02",
			"[toolchain]\n  channel  =  \"nightly-2026-01-02\"   # why\ncomponents = [\"a\"]\n"},
		{"literal quotes stay", "a = 'x' # c", "a", "y", "a = 'y' # c"},
		{"unless they cannot", "a = 'x'", "a", "it's\n", `a = "it's\n"`},
		{"multi-line string", "a = \"\"\"\nx\n\"\"\"\nb = 1\n", "a", "y", "a = \"y\"\nb = 1\n"},
		{"other kinds", "a = [\n 1, # one\n]\nb = 1\n", "a", true, "a = true\nb = 1\n"},
		{"list", "a = 1\n", "a", []string{"x", `"`}, "a = [\"x\", \"\\\"\"]\n"},
		{"float", "a = 1\n", "a", 2.0, "a = 2.0\n"},
		{"literal", "a = 1\n", "a", Literal("{ x = 1 }"), "a = { x = 1 }\n"},
		{"inline", `p = { git = "u", rev = "1" } # c`, "p.rev", "2", `p = { git = "u", rev = "2" } # c`},
		{"nested inline", `p = { q = { r = 1 } }`, "p.q.r", 2, `p = { q = { r = 2 } }`},
		{"dotted key", "[a]\nb.c = 1\n", "a.b.c", 2, "[a]\nb.c = 2\n"},
		{"second array element", "[[p]]\nn = 'a'\n[[p]]\nn = 'b'\n", "p.1.n", "c", "[[p]]\nn = 'a'\n[[p]]\nn = 'c'\n"},

		{"new in a table", "[a]\n  x = 1 # c\n\n[b]\ny = 2\n", "a.z", 3, "[a]\n  x = 1 # c\n  z = 3\n\n[b]\ny = 2\n"},
		{"new in an empty table", "[a] # c\n[b]\n", "a.z", 3, "[a] # c\nz = 3\n[b]\n"},
		{"new at the end without line end", "[a]\nx = 1", "a.z", 3, "[a]\nx = 1\nz = 3"},
		{"new with DOS line ends", "[a]\r\nx = 1\r\n", "a.z", 3, "[a]\r\nx = 1\r\nz = 3\r\n"},
		{"new in the root", "x = 1\n[a]\n", "z", 3, "x = 1\nz = 3\n[a]\n"},
		{"new in a root without keys", "# file\n\n# about a\n[a]\n", "z", 3, "# file\n\nz = 3\n\n# about a\n[a]\n"},
		{"new in nothing", "", "z", 3, "z = 3\n"},
		{"new in comments only", "# c", "z", 3, "# c\nz = 3\n"},
		{"new inline", "p = { a = 1 }\n", "p.b", 2, "p = { a = 1, b = 2 }\n"},
		{"new in an empty inline table", "p = {}\n", "p.b", 2, "p = { b = 2 }\n"},
		{"new dotted inline", "p = { a = 1 }\n", "p.b.c", 2, "p = { a = 1, b.c = 2 }\n"},
		{"new beside dotted keys", "a.b = 1\nc = 2\n", "a.d", 3, "a.b = 1\na.d = 3\nc = 2\n"},
		{"new table", "x = 1\n", "a.b", "v", "x = 1\n\n[a]\nb = \"v\"\n"},
		{"new table in nothing", "", "a.b", "v", "[a]\nb = \"v\"\n"},
		{"new table above a deeper one", "[a.b.c]\nx = 1\n", "a.b.y", 2, "[a.b.c]\nx = 1\n\n[a.b]\ny = 2\n"},
		{"new in an array element", "[[p]]\nn = 1\n[[p]]\nn = 2\n", "p.0.m", 3, "[[p]]\nn = 1\nm = 3\n[[p]]\nn = 2\n"},
		{"new sub-table of an array element", "[[p]]\nn = 1\n[[p]]\nn = 2\n", "p.0.m.x", 3, "[[p]]\nn = 1\nm.x = 3\n[[p]]\nn = 2\n"},
		{"quoted key", "[patch]\n", "patch.https://x/y", "v", "[patch]\n\"https://x/y\" = \"v\"\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.text)
			if err := doc.Set(test.value, strings.Split(test.key, ".")...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(doc.Bytes())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSetErrors(t *testing.T) {
	tests := []struct{ text, key, want string }{
		{"[a]\nb = 1\n", "a", "set a: it is a table"},
		{"[a.b]\n", "a", "set a: it is a table"},
		{"a = 1\n", "a.b", "a is not a table"},
		{"a = [1]\n", "a.0", "a is not a table"},
		{"[[a]]\n[[a]]\n", "a.b", "a is an array of 2 tables"},
		{"[[a]]\n", "a.7.b", "a is an array of 1 tables"},
	}
	for _, test := range tests {
		doc := parse(t, test.text)
		err := doc.Set("v", strings.Split(test.key, ".")...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %s: want %q, got %v", test.text, test.key, test.want, err)
		}
		if string(doc.Bytes()) != test.text {
			t.Errorf("%q changed to %q by an edit that failed", test.text, doc.Bytes())
		}
	}
	doc := parse(t, "")
	for _, bad := range []any{nil, struct{}{}, Literal("[")} {
		if err := doc.Set(bad, "a"); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
	if err := doc.Set("x"); err == nil {
		t.Error("no key: no error")
	}
}

func TestDelete(t *testing.T) {
	tests := []struct{ name, text, key, want string }{
		{"a line", "# about a\na = 1 # c\nb = 2\n", "a", "# about a\nb = 2\n"},
		{"the last line", "a = 1\nb = 2", "b", "a = 1\n"},
		{"lines of a list", "a = [\n 1,\n]\nb = 2\n", "a", "b = 2\n"},
		{"first inline", "p = { a = 1, b = 2 }\n", "p.a", "p = { b = 2 }\n"},
		{"middle inline", "p = { a = 1, b = 2, c = 3 }\n", "p.b", "p = { a = 1, c = 3 }\n"},
		{"last inline", "p = { a = 1, b = 2 }\n", "p.b", "p = { a = 1 }\n"},
		{"only inline", "p = { a = 1 }\n", "p.a", "p = {  }\n"},
		{"several inline by prefix", "p = { a.x = 1, b = 2, a.y = 3 }\n", "p.a", "p = { b = 2 }\n"},
		{"a table", "[a]\nx = 1\n\n# about b\n[b]\ny = 2\n", "a", "# about b\n[b]\ny = 2\n"},
		{"a table with tables in it", "[a.x]\nx = 1\n[b]\n[a]\ny = 2\n", "a", "[b]\n"},
		{"dotted keys", "a.x = 1\nb = 2\na.y = 3\n", "a", "b = 2\n"},
		{"an array element", "[[p]]\nn = 1\n[p.s]\n[[p]]\nn = 2\n", "p.0", "[[p]]\nn = 2\n"},
		{"the whole inline table", "[d]\nr = { git = 'x' }\ns = '1'\n", "d.r", "[d]\ns = '1'\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.text)
			if err := doc.Delete(strings.Split(test.key, ".")...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(doc.Bytes())); diff != "" {
				t.Error(diff)
			}
			if strings.HasSuffix(test.key, ".0") {
				return // the next element has moved up
			}
			if err := doc.Delete(strings.Split(test.key, ".")...); !errors.Is(err, ErrNoKey) {
				t.Errorf("deleting again: %v", err)
			}
		})
	}
}

func TestGet(t *testing.T) {
	doc := parse(t, "[a]\nb = \"x\\ty\" # c\nc = { d = [1, 2] }\n[[l]]\nk = true\n")
	for _, test := range []struct {
		key, raw, text string
		isString       bool
	}{
		{"a.b", `"x\ty"`, "x\ty", true}, {"a.c", "{ d = [1, 2] }", "", false}, {"a.c.d", "[1, 2]", "", false}, {"l.0.k", "true", "", false},
	} {
		got, ok := doc.Get(strings.Split(test.key, ".")...)
		if !ok || got.Raw != test.raw || got.Text != test.text || got.IsString != test.isString {
			t.Errorf("%s: got %+v, %v", test.key, got, ok)
		}
		if raw := string(doc.Bytes()[got.Start:got.End]); raw != test.raw {
			t.Errorf("%s: range holds %q", test.key, raw)
		}
	}
	if _, ok := doc.Get("a"); ok {
		t.Error("a table with a header has no value")
	}
	if !doc.Has("a") || !doc.Has("l", "0") || doc.Has("x") {
		t.Error("Has is wrong")
	}
}

// Some editors put a byte order mark first: cargo and rustup pass over it, and an edit leaves it where it is.
func TestAByteOrderMarkStays(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	doc := parse(t, mark+"a = 1\n[b]\nc = 'x' # why\n")
	value, ok := doc.Get("b", "c")
	if !ok || string(doc.Bytes()[value.Start:value.End]) != "'x'" {
		t.Errorf("%+v", value)
	}
	if err := errors.Join(doc.Set("y", "b", "c"), doc.Delete("a"), doc.Set(2, "d")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mark+"d = 2\n\n[b]\nc = 'y' # why\n", string(doc.Bytes())); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"\xff\xfea\x00", "\xfe\xff\x00a"} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "1:1: the file is UTF-16") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"a = ", "a = 1\na = 2\n", "\xff = 1"} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func parse(t *testing.T, text string) *Document {
	t.Helper()
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// FuzzSet: an edit changes the wanted key and nothing else, or fails and
// changes nothing.
func FuzzSet(f *testing.F) {
	f.Add([]byte("[a]\nb = 'x' # c\n[[l]]\nk.y = {z = 1}\n"), "a", "b")
	f.Add([]byte("a.b = 1\r\n[c]\n"), "c", "new key")
	f.Fuzz(func(t *testing.T, data []byte, first, second string) {
		doc, err := Parse(data)
		if err != nil {
			return
		}
		before := decode(t, data)
		if err := doc.Set("v", first, second); err != nil {
			if string(doc.Bytes()) != string(data) {
				t.Fatalf("%q changed by an edit that failed: %v", data, err)
			}
			return
		}
		after := decode(t, doc.Bytes())
		table, _ := after[first].(map[string]any)
		if list, isList := after[first].([]any); isList {
			t.Skip(list)
		}
		if table[second] != "v" {
			t.Fatalf("%q: %s.%s is not set in %q", data, first, second, doc.Bytes())
		}
		delete(table, second)
		if old, ok := before[first].(map[string]any); ok {
			delete(old, second)
		} else if len(table) == 0 {
			delete(after, first)
		}
		if !strings.Contains(string(data), "nan") && !reflect.DeepEqual(before, after) {
			t.Fatalf("more than %s.%s changed: %q -> %q", first, second, data, doc.Bytes())
		}
	})
}

func decode(t *testing.T, data []byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	if err := toml.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
