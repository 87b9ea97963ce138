package tomlfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
	"github.com/pelletier/go-toml/v2"
)

// hex is a string that judges itself.
type hex string

func (h *hex) UnmarshalText(text []byte) error {
	if strings.Trim(string(text), "0123456789abcdef") != "" {
		return errors.New("not hexadecimal")
	}
	*h = hex(text)
	return nil
}

type common struct {
	Name string `toml:"name"`
}

type recipe struct {
	common
	Jobs     uint8             `toml:"jobs"`
	Ratio    float64           `toml:"ratio"`
	Fast     *bool             `toml:"fast"`
	Features []string          `toml:"features"`
	Commit   hex               `toml:"commit"`
	Steps    []step            `toml:"step"`
	Replace  map[string]string `toml:"replace"`
	Files    map[string]file   `toml:"file"`
	Extra    any               `toml:"extra"`
	Day      toml.LocalDate    `toml:"day"`
	When     time.Time         `toml:"when"`
	Hidden   string            `toml:"-"`
}

type step struct {
	Kind string     `toml:"kind"`
	Sub  *file      `toml:"sub"`
	Argv [][]string `toml:"argv"`
}

type file struct {
	From string `toml:"from"`
	Mode int    `toml:"mode,omitempty"`
}

func TestDecodeFills(t *testing.T) {
	text := `
name = "demo"
jobs = 0x1f
ratio = 2
fast = true
features = ["a", # why
  "b"]
commit = "c0ffee"
extra = {anything = [1, "x"]}
day = 2026-01-02
when = 2026-01-02T03:04:05Z
replace."https://x/y.git" = "relibc"
[file.init]
from = "bin/init"
[[step]]
kind = "cargo"
argv = [["a"], []]
[step.sub]
mode = 0o755
[[step]]
kind = "link"
sub = { from = "x", mode = 1_0 }
`
	var got recipe
	if err := Decode("r.toml", []byte(text), &got); err != nil {
		t.Fatal(err)
	}
	fast := true
	want := recipe{
		common: common{Name: "demo"}, Jobs: 31, Ratio: 2, Fast: &fast, Features: []string{"a", "b"}, Commit: "c0ffee",
		Steps: []step{
			{Kind: "cargo", Sub: &file{Mode: 0o755}, Argv: [][]string{{"a"}, {}}},
			{Kind: "link", Sub: &file{From: "x", Mode: 10}},
		},
		Replace: map[string]string{"https://x/y.git": "relibc"},
		Files:   map[string]file{"init": {From: "bin/init"}},
		Extra:   map[string]any{"anything": []any{int64(1), "x"}},
		Day:     toml.LocalDate{Year: 2026, Month: 1, Day: 2},
		When:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recipe{})); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeReportsEverythingAtOnce(t *testing.T) {
	text := "nam = \"demo\"\nbogus = 1\njobs = \"many\"\n"
	got := recipe{Jobs: 7}
	err := Decode("recipes/x/recipe.toml", []byte(text), &got)
	want := `recipes/x/recipe.toml:1:1: unknown key "nam"; did you mean "name"?
    nam = "demo"
    ^^^
recipes/x/recipe.toml:2:1: unknown key "bogus"; known here: commit, day, extra, fast, features, file, jobs, name, ratio, replace, step, when
    bogus = 1
    ^^^^^
recipes/x/recipe.toml:3:8: key "jobs" must be an integer, is a string
    jobs = "many"
           ^^^^^^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var all *multierror.Error
	if !errors.As(err, &all) || len(all.Errors) != 3 {
		t.Errorf("want a multierror of 3, got %#v", err)
	}
	if got.Jobs != 7 {
		t.Error("the value was touched although the document is wrong")
	}
}

// TestDecodeProblems gives for each text the places and messages, one a line.
func TestDecodeProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"syntax", "jobs = \n", "1:8: unexpected character U+000A at start of value"},
		{"empty value at the end", "jobs =", "1:6: expected value, not end of input"},
		{"unknown table once", "[sted]\na=1\n[sted.x]\nb=2\n", `1:2: unknown key "sted"; did you mean "step"?`},
		{"unknown in array element", "[[step]]\nkid='x'\n[[step]]\nkind=1\n",
			"2:1: unknown key \"kid\" in step; did you mean \"kind\"?\n4:6: key \"step.kind\" must be a string, is an integer"},
		{"inline table", "step = [{kind='a'}, {kind=true, zzz=1}]",
			"1:27: key \"step.1.kind\" must be a string, is true\n1:33: unknown key \"zzz\" in step.1; known here: argv, kind, sub"},
		{"table where list wanted", "[step]\nkind='a'\n", `1:2: key "step" must be a list of tables, is a table`},
		{"list where table wanted", "[[file]]\nx=1\n", `1:3: key "file" must be a table, is an array of tables`},
		{"scalar as table", "[jobs]\n", `1:2: key "jobs" must be an integer, is a table`},
		{"dotted through a scalar", "name.x = 1", `1:1: key "name" must be a string, is a table`},
		{"element of wrong type", "features = ['a', 1, ['b']]",
			"1:12: key \"features.2\" must be a string, is a list\n1:18: key \"features.1\" must be a string, is an integer"},
		{"list for scalar", "name = ['a']", `1:8: key "name" must be a string, is a list`},
		{"too big", "jobs = 256", `1:8: key "jobs" must be between 0 and 255, is 256`},
		{"negative", "jobs = -1", `1:8: key "jobs" must be between 0 and 255, is -1`},
		{"beyond 64 bits", "jobs = 99999999999999999999", `1:8: key "jobs" is out of range`},
		{"fraction", "jobs = 1.5", `1:8: key "jobs" must be an integer, is a number with a fraction`},
		{"text judged", "commit = 'xyz'\nname = 3", "1:10: key \"commit\": not hexadecimal\n2:8: key \"name\" must be a string, is an integer"},
		{"text of wrong kind", "commit = 12", `1:10: key "commit" must be a string, is an integer`},
		{"map value", "[replace]\n'a b' = 1", `2:9: key "replace.a b" must be a string, is an integer`},
		{"other case is a typo", "Name = 'x'", `1:1: unknown key "Name"; did you mean "name"?`},
		{"hidden field", "Hidden = 'x'", `1:1: unknown key "Hidden"; known here: commit, day, extra, fast, features, file, jobs, name, ratio, replace, step, when`},
		{"twice, beside an unknown key", "name = 'x'\njob = 1\nname = 'y'",
			"2:1: unknown key \"job\"; did you mean \"jobs\"?\n3:1: key name is already defined"},
		{"columns count characters", "replace = {'ä' = 1, 'ö' = 2}",
			"1:18: key \"replace.ä\" must be a string, is an integer\n1:27: key \"replace.ö\" must be a string, is an integer"},
		{"date", "day = 'x'\nwhen = 07:32:00", "1:7: key \"day\" must be a date, is a string\n2:8: key \"when\" must be a date with a time, is a date or time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var into recipe
			got := places(Decode("f", []byte(test.text), &into))
			if got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// colour is an enumeration.
type colour string

func (colour) Values() []string { return Values[colour]("red", "green") }

// house has keys that have to be there.
type house struct {
	Name  string          `toml:"name,required"`
	Paint colour          `toml:"paint,required"`
	Trim  *colour         `toml:"trim"`
	Rooms []room          `toml:"room"`
	Sheds map[string]room `toml:"shed"`
	Yard  *room           `toml:"yard"`
}

type room struct {
	Doors []string `toml:"doors,required"`
	Text  *string  `toml:"text,oneof"`
	From  string   `toml:"from,oneof"`
	Bare  bool     `toml:"bare,oneof"`
}

func TestWhatHasToBeThere(t *testing.T) {
	const top = "name = 'x'\npaint = 'red'\n"
	tests := []struct{ name, text, want string }{
		{"all of it", top + "trim = 'green'\nroom = [{doors = ['a'], text = ''}]\n[shed.a]\ndoors = ['b']\nfrom = 'x'\n[yard]\ndoors = ['c']\nbare = true\n", "<nil>"},
		{"nothing", "", "1:1: key \"name\" is missing\n1:1: key \"paint\" is missing: one of red, green"},
		{"empty", "name = ''\npaint = 'red'", `1:1: key "name" is empty`},
		{"other value", "name = 'x'\npaint = 'rde'", `2:9: key "paint" is "rde", not one of red, green`},
		{"other value of a pointer", top + "trim = ''", `3:8: key "trim" is "", not one of red, green`},
		{"in an element", top + "[[room]]\ndoors = ['a']\nbare = true\n[[room]]\nbare = true", `6:3: key "room.1.doors" is missing`},
		{"in an inline table", top + "room = [{doors = [], bare = true}]", `3:10: key "room.0.doors" is empty`},
		{"in a map", top + "[shed.old]\nbare = true", `3:7: key "shed.old.doors" is missing`},
		{"in a pointer", top + "[yard]\nbare = true", `3:2: key "yard.doors" is missing`},
		{"none of several", top + "[yard]\ndoors = ['a']", `3:2: key "yard" must have exactly one of text, from, bare, has none`},
		{"two of them", top + "[yard]\ndoors = ['a']\ntext = ''\nfrom = 'y'", `3:2: key "yard" must have exactly one of text, from, bare, has text and from`},
		{"one that is none", top + "[yard]\ndoors = ['a']\nbare = false", `5:1: key "yard.bare" is false`},
		{"a misspelt one is not missing too", "nam = 'x'\npaint = 'red'", `1:1: unknown key "nam"; did you mean "name"?`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var into house
			if got := places(Decode("f", []byte(test.text), &into)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestWhatNoTypeCanSay: the caller's checks see what was decoded, and what they find stands beside the rest; not where a line has a
// problem already, which may be its cause, and not where the types do not fit.
func TestWhatNoTypeCanSay(t *testing.T) {
	for text, want := range map[string]string{
		"name = 'x'\npaint = 'red'":                           "<nil>",
		"name = 'bad'\npaint = 'rde'\nroom = [{bare = true}]": "1:1: bad name\n1:1: bad twice\n2:9: key \"paint\" is \"rde\", not one of red, green\n3:9: key \"room.0.doors\" is missing",
		"name = ''\npaint = 'red'":                            "1:1: key \"name\" is empty",
		"name = 'bad'\npaint = 1":                             "2:9: key \"paint\" must be a string, is an integer",
	} {
		var into house
		err := Decode("f", []byte(text), &into, func() []*Problem {
			if into.Name == "x" {
				return nil
			}
			here := []string{"name"}
			return []*Problem{At("f", []byte(text), here, "bad name"), At("f", []byte(text), here, "bad twice")}
		})
		if got := places(err); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	type lent struct {
		Name string `toml:"name"`
		Jobs int    `toml:"jobs"`
	}
	type own struct {
		lent
		Name  []string `toml:"name,required"`
		Plain bool
	}
	var got []string
	for _, k := range Keys(reflect.TypeFor[own]()) {
		got = append(got, fmt.Sprint(k.Name, " ", k.Field.Type, " ", k.Struct.Name(), " ", k.Required))
	}
	if diff := cmp.Diff([]string{"name []string own true", "jobs int lent false", "Plain bool own false"}, got); diff != "" {
		t.Error(diff)
	}
	if got := ValuesOf(reflect.TypeFor[*colour]()); !cmp.Equal(got, []string{"red", "green"}) {
		t.Errorf("a pointer to an enumeration has %v", got)
	}
}

func places(err error) string {
	var all *multierror.Error
	if !errors.As(err, &all) {
		return fmt.Sprint(err)
	}
	var lines []string
	for _, one := range all.Errors {
		problem := one.(*Problem)
		lines = append(lines, fmt.Sprintf("%d:%d: %s", problem.Line, problem.Column, problem.Message))
	}
	return strings.Join(lines, "\n")
}

func TestCaretKeepsTabs(t *testing.T) {
	var into recipe
	err := Decode("f", []byte("\tjobs\t= 'x'\r\n"), &into)
	want := "f:1:9: key \"jobs\" must be an integer, is a string\n    \tjobs\t= 'x'\n    \t    \t  ^^^"
	if err == nil || err.Error() != want {
		t.Errorf("got %q\nwant %q", err, want)
	}
}

func TestDecodeWantsPointer(t *testing.T) {
	for _, into := range []any{nil, recipe{}, (*recipe)(nil)} {
		if err := Decode("f", nil, into); err == nil {
			t.Errorf("%T: no error", into)
		}
	}
}

func TestAt(t *testing.T) {
	text := []byte("name = 'x'\n[[step]]\nkind = 'a'\n[[step]]\nargv = [['a'],\n ['b', 'c']]\nsub = {from = 'f'}\n")
	tests := []struct{ key, want string }{
		{"name", "1:1"}, {"step.0", "2:3"}, {"step.0.kind", "3:1"}, {"step.1", "4:3"}, {"step.1.kind", "4:3"},
		{"step.1.argv.1.1", "6:8"}, {"step.1.sub.from", "7:8"}, {"nowhere", "1:1"},
	}
	for _, test := range tests {
		problem := At("f", text, strings.Split(test.key, "."), "bad")
		if got := fmt.Sprintf("%d:%d", problem.Line, problem.Column); got != test.want {
			t.Errorf("%s: at %s, want %s", test.key, got, test.want)
		}
	}
}

// A byte order mark is no character of the first key; a file in UTF-16 is told from a broken one.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	var into recipe
	if err := Decode("f", []byte(mark+"name = 'x'\njobs = 3\n"), &into); err != nil || into.Name != "x" || into.Jobs != 3 {
		t.Errorf("%+v, %v", into, err)
	}
	if err := Decode("f", []byte(mark+"nam = 'x'\n"), &into); err == nil || !strings.HasPrefix(err.Error(), "f:1:1: unknown key \"nam\"") {
		t.Errorf("%v", err)
	}
	if problem := At("f", []byte(mark+"name = 'x'\njobs = 3\n"), []string{"jobs"}, "bad"); problem.Line != 2 || problem.Column != 1 {
		t.Errorf("%v", problem)
	}
	for _, text := range []string{"\xff\xfen\x00", "\xfe\xff\x00n"} {
		if err := Decode("f", []byte(text), &into); err == nil || !strings.HasPrefix(err.Error(), "f:1:1: the file is UTF-16") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name = 'x'\n[[step]]\nkind = 1\nsub = {mode = 3, x = [[1]]}\n"))
	f.Add([]byte("[a.b]\n[[a.b.c]]\n'é' = 2026-01-01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var into recipe
		if err := Decode("f", data, &into); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
		_ = Decode("f", data, new(house))
		_ = At("f", data, []string{"step", "0"}, "x")
	})
}

// A line of a megabyte is not shown whole: what is around the place is, with the caret below it.
func TestOfALongLineThePlaceIsShown(t *testing.T) {
	for _, c := range []struct {
		text, shown string
	}{
		{strings.Repeat("a", 1<<20), "…aaaa"},
		{"a = \"" + strings.Repeat("ü", 1<<20) + "\"\nb = " + strings.Repeat("x", 1<<20), "b = xxx"},
		{"a = [" + strings.Repeat("1, ", 1000) + "{}" + strings.Repeat(", 1", 1000) + "]", "…"},
	} {
		var into struct {
			A string `toml:"a"`
		}
		err := Decode("x.toml", []byte(c.text), &into)
		if err == nil || len(err.Error()) > 2000 || !strings.Contains(err.Error(), c.shown) {
			t.Fatalf("%.40q: %d bytes: %.300v", c.text, len(fmt.Sprint(err)), err)
		}
		lines := strings.Split(strings.Split(err.Error(), "\n\n")[0], "\n")
		if caret := strings.IndexByte(lines[2], '^'); caret < 0 || caret > utf8.RuneCountInString(lines[1])+1 {
			t.Errorf("the caret is not below the line:\n%v", err)
		}
	}
}

func TestAFileThatNeedNotBeThere(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if _, err := Read(link); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is a link to nowhere") {
		t.Errorf("a link: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nowhere"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(link); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
}
