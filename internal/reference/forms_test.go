package reference

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// read is what the reader of a kind makes of a text.
func read(f File, text []byte) (any, error) {
	into := reflect.New(f.Type)
	err := tomlfile.Decode("x.toml", text, into.Interface())
	return into.Elem().Interface(), err
}

// written are files of every kind: ours, and one of each kind of which we have none.
func written(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{
		"overrides.toml": []byte("[mirror]\n\"https://a/\" = \"https://b/\"\n[source.base]\ndir = \"/x\"\n[git.\"https://h/x\"]\nremove = true\n"),
		"packages.toml":  []byte("[[repository]]\nname = \"n\"\nurl = \"https://h\"\nmirrors = [\"https://m\"]\nmax-age = 3\n"),
	}
	for _, name := range tomlFiles(t) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = text
	}
	return all
}

// Editors write a text in more than one form. It says the same in each: line ends of Windows also within a text of several lines, which would
// else reach a source by a patch.
func TestAFileSaysTheSameInEveryForm(t *testing.T) {
	forms := map[string]func([]byte) []byte{
		"with line ends of Windows": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
		"with a byte order mark":    func(b []byte) []byte { return append([]byte("\ufeff"), b...) },
		"without a last line end":   func(b []byte) []byte { return bytes.TrimRight(b, "\n") },
		"with empty lines around":   func(b []byte) []byte { return append([]byte("\n\r\n"), append(b, "\n\n# end"...)...) },
	}
	for name, text := range written(t) {
		f, ok := kindOf(t, name)
		if !ok {
			continue
		}
		want, err := read(f, text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for form, make := range forms {
			got, err := read(f, make(bytes.Clone(text)))
			if err != nil {
				t.Errorf("%s %s: %v", name, form, err)
			} else if !reflect.DeepEqual(want, got) {
				t.Errorf("%s %s is another:\n%s", name, form, cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)))
			}
		}
	}
}

// keyed is a line with a value.
var keyed = regexp.MustCompile(`(?m)^([A-Za-z0-9_."-]+) = .*$`)

// Every value of every file of ours is put in the place of others of all types: the reader takes it or names the place, and never panics.
func TestAWrongValueIsRefusedAtItsPlace(t *testing.T) {
	values := []string{`""`, `"x"`, `1`, `-1`, `1.5`, `nan`, `true`, `[]`, `[[]]`, `[1, "x"]`, `[""]`, `{}`, `{x = 1}`, `[{}]`, `2026-11-29`, `07:32:00`, `9223372036854775807`, `"\u0000"`, `"a\nb"`}
	tried, refused := 0, 0
	for name, text := range written(t) {
		f, ok := kindOf(t, name)
		if !ok {
			continue
		}
		if len(text) > 20_000 {
			text = text[:bytes.LastIndex(text[:20_000], []byte("\n["))+1] // the rest is more of the same
		}
		for _, at := range keyed.FindAllSubmatchIndex(text, -1) {
			if bytes.Contains(text[at[0]:at[1]], []byte(`"""`)) || bytes.Contains(text[at[0]:at[1]], []byte(`'''`)) || text[at[1]-1] == '[' {
				continue // goes on in the next line
			}
			for _, value := range values {
				changed := string(text[:at[3]]) + " = " + value + string(text[at[1]:])
				_, err := read(f, []byte(changed))
				tried++
				if err == nil {
					continue
				}
				refused++
				line := fmt.Sprintf("x.toml:%d:", 1+bytes.Count(text[:at[0]], []byte("\n")))
				if !strings.Contains(err.Error(), "x.toml:") {
					t.Errorf("%s, %s%s: no place: %v", name, line, value, err)
				}
			}
		}
	}
	if tried < 5000 || refused < tried/2 {
		t.Errorf("%d values were tried and %d of them refused", tried, refused)
	}
}

// A file that is cut anywhere, empty, or is no text is read or refused with its name.
func TestWhatIsNoTextIsRefused(t *testing.T) {
	for name, text := range written(t) {
		f, ok := kindOf(t, name)
		if !ok {
			continue
		}
		var forms [][]byte
		for i := 0; i < len(text); i += 1 + len(text)/200 {
			forms = append(forms, text[:i])
		}
		forms = append(forms, []byte("\x00"), []byte("\xff\xfe[\x00"), []byte("\x7fELF\x02\x01\x01\x00"), bytes.Repeat([]byte("["), 10_000), bytes.Repeat([]byte("a="), 10_000),
			[]byte("x = "+strings.Repeat("[", 10_000)), []byte("caf\xe9 = 1\n"), append(bytes.Clone(text), 0))
		for _, form := range forms {
			if _, err := read(f, form); err != nil && !strings.Contains(err.Error(), "x.toml") {
				t.Errorf("%s, as %.40q: %v", name, form, err)
			}
		}
	}
}
