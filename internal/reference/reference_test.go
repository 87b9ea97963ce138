package reference

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

const root = "../.."

// TestCommittedIsCurrent: what is committed is what the source gives.
func TestCommittedIsCurrent(t *testing.T) {
	texts, err := Texts(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range texts {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not current, run %q:\n%s", name, Command, diff)
		}
	}
	if old := stale(root, texts); len(old) > 0 {
		t.Errorf("nothing gives %s any more, run %q", strings.Join(old, ", "), Command)
	}
}

// checked are the schemas by kind, compiled by a validator that is not ours.
type checked map[string]*jsonschema.Schema

func compile(t *testing.T) checked {
	t.Helper()
	all := checked{}
	for _, f := range Files() {
		s, err := jsonschema.NewCompiler().Compile(filepath.Join(root, SchemasFolder, f.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = s
	}
	return all
}

// verdicts are what the schema and our reader say of a text, nil where they accept it.
func (c checked) verdicts(t *testing.T, f File, text []byte) (schema, reader error) {
	t.Helper()
	reader = tomlfile.Decode("x.toml", text, reflect.New(f.Type).Interface())
	var tables map[string]any
	if err := toml.Unmarshal(text, &tables); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	asJSON, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return c[f.Name].Validate(document), reader
}

// TestOurFiles: every TOML file of ours is of one kind, its schema accepts it, and so does our reader. A key that is misspelt is
// refused by both.
func TestOurFiles(t *testing.T) {
	schemas := compile(t)
	seen := map[string]int{}
	for _, name := range tomlFiles(t) {
		f, ok := kindOf(t, name)
		if !ok {
			t.Errorf("%s is of no kind that the reference knows", name)
			continue
		}
		seen[f.Name]++
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if schema, reader := schemas.verdicts(t, f, text); schema != nil || reader != nil {
			t.Errorf("%s: schema: %v; reader: %v", name, schema, reader)
		}
		misspelt := slices.Concat([]byte("misspelt = 1\n"), text)
		if schema, reader := schemas.verdicts(t, f, misspelt); schema == nil || reader == nil {
			t.Errorf("%s with a misspelt key: schema: %v; reader: %v", name, schema, reader)
		}
	}
	for _, f := range Files() {
		if f.Example != "" && seen[f.Name] == 0 {
			t.Errorf("no file of kind %s was looked at", f.Name)
		}
	}
}

// tomlFiles are the TOML files of ours in the checkout, as slash paths: those in the folders that users look at and edit, without the
// ones that other programs read.
func tomlFiles(t *testing.T) []string {
	t.Helper()
	foreign := []string{"Cargo.toml", "rustfmt.toml"}
	var names []string
	for _, top := range []string{"recipes", "toolchain", "targets", "patches", "images", "docs", "examples"} {
		err := fs.WalkDir(os.DirFS(root), top, func(name string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() && e.Name() == "target" {
				return fs.SkipDir // of cargo
			}
			if err == nil && path.Ext(name) == ".toml" && !slices.Contains(foreign, path.Base(name)) {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func kindOf(t *testing.T, name string) (File, bool) {
	t.Helper()
	var found []File
	for _, f := range Files() {
		if slices.ContainsFunc(f.Globs, func(glob string) bool { ok, _ := path.Match(glob, name); return ok }) {
			found = append(found, f)
		}
	}
	if len(found) > 1 {
		t.Errorf("%s is of two kinds, %s and %s", name, found[0].Name, found[1].Name)
	}
	return append(found, File{})[0], len(found) > 0
}

// TestSchemaAndReaderAgree: what the reader refuses for its form the schema refuses, and what it takes the schema takes.
func TestSchemaAndReaderAgree(t *testing.T) {
	const recipe = "description = 'x'\n[source]\npath = '.'\n"
	const edit = "title = 't'\nreason = 'r'\n[[edit]]\nfile = 'f'\nanchor = 'a'\nwhere = 'after'\n"
	schemas := compile(t)
	for _, c := range []struct {
		kind, text string
		good       bool
	}{
		{"recipe", recipe, true},
		{"recipe", strings.Replace(recipe, "description", "descriptio", 1), false},
		{"recipe", strings.Replace(recipe, "'x'", "''", 1), false},
		{"recipe", strings.Replace(recipe, "'x'", "1", 1), false},
		{"recipe", "description = 'x'\n", false},
		{"recipe", "description = 'x'\n[source]\n", false},
		{"recipe", recipe + "git = 'u'\n", false},
		{"recipe", recipe + "pat = 'u'\n", false},
		{"recipe", recipe + "[[step]]\nname = 's'\nkind = 'cargo'\nbackend = 'llvm'\nneeds = ['asm-object']\n", true},
		{"recipe", recipe + "[[step]]\nname = 's'\nkind = 'carg'\n", false},
		{"recipe", recipe + "[[step]]\nname = 's'\nkind = 'cargo'\nbackend = ''\n", false},
		{"recipe", recipe + "[[step]]\nname = 's'\nkind = 'cargo'\nneeds = ['luck']\n", false},
		{"recipe", recipe + "[[step]]\nname = 's'\nkind = 'cargo'\nenv = {A = 'b'}\n", true},
		{"recipe", recipe + "[[step]]\nname = 's'\nkind = 'cargo'\nenv = {A = 1}\n", false},
		{"recipe", recipe + "[set.seed]\npatches = []\nsource = {same-as = 'base'}\n", true},
		{"recipe", recipe + "[set.seed.source]\n", false},
		{"recipe", recipe + "[set.seed.source]\ngit = 'u'\nsubmodules.x = {git = 'u'}\n", false},
		{"patch", edit + "text = ''\n", true},
		{"patch", edit, false},
		{"patch", edit + "text = ''\n[[file]]\npath = 'p'\ntext = ''\n", true},
		{"patch", edit + "text = ''\n[[file]]\npath = 'p'\nfrom = ''\n", false},
		{"image", "size-mib = 64\nuuid = '00000000000000000000000000000001'\n[[file]]\nto = '/a'\ntext = ''\nuid = 4294967295\n", true},
		{"image", "size-mib = 64\n[[file]]\nto = '/a'\ntext = ''\nuid = 4294967296\n", false},
		{"image", "size-mib = 64\n[[file]]\nto = '/a'\ntext = ''\ngid = -1\n", false},
		{"image", "size-mib = 64.5\n", false},
		{"build", "release = 'r'\nstage0 = 's'\nneeds = {disk-mib = 1, memory-mib = 1}\nsource = {archive = 'a', sha256 = 's'}\nllvm = {oldest = 1, newest = 2}\nbootstrap = {a = {b = [1, 'x']}}\n", true},
		{"overrides", "[git.'https://h/x']\nremove = true\n", true},
		{"overrides", "[git.'https://h/x']\nremove = false\n", false},
		{"packages", "[[repository]]\nurl = 'https://h'\n", true},
		{"packages", "repository = []\n", false},
		{"relibc-tests", "known = [{tests = ['a'], what = 'passed', reason = 'r'}]\n", false},
		{"target", "kind = 'user'\ndisable-redzone = false\n", true},
		{"target", "kind = 'usr'\n", false},
	} {
		at := slices.IndexFunc(Files(), func(f File) bool { return f.Name == c.kind })
		schema, reader := schemas.verdicts(t, Files()[at], []byte(c.text))
		if (schema == nil) != c.good || (reader == nil) != c.good {
			t.Errorf("%s: want it taken: %v; schema: %v; reader: %v\n%s", c.kind, c.good, schema, reader, c.text)
		}
	}
}

// TestTaploRules: the rules name the schemas that there are, and a file in a folder below another kind's is not taken by that one's: the
// * of taplo matches slashes.
func TestTaploRules(t *testing.T) {
	var config struct {
		Rule []struct {
			Include, Exclude []string
			Schema           struct{ Path string }
		}
	}
	if err := toml.Unmarshal([]byte(taploText()), &config); err != nil {
		t.Fatal(err)
	}
	for _, rule := range config.Rule {
		if _, err := os.Stat(filepath.Join(root, rule.Schema.Path)); err != nil {
			t.Error(err)
		}
	}
	matches := func(globs []string, name string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool {
			ok, _ := path.Match(strings.ReplaceAll(glob, "/", "_"), strings.ReplaceAll(name, "/", "_"))
			return ok
		})
	}
	for _, name := range tomlFiles(t) {
		var schemas []string
		for _, rule := range config.Rule {
			if matches(rule.Include, name) && !matches(rule.Exclude, name) {
				schemas = append(schemas, rule.Schema.Path)
			}
		}
		f, _ := kindOf(t, name)
		if diff := cmp.Diff([]string{path.Join(SchemasFolder, f.Name+".json")}, schemas); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// A struct that the comments of this file are about.
type sample struct {
	Kept     string `toml:"kept"` // told behind
	Silent   string `toml:"silent"`
	TookLong string `toml:"took-long"`
}

func TestAKeyWithoutACommentIsAnError(t *testing.T) {
	c := &comments{packages: map[string]map[string]string{reflect.TypeFor[sample]().PkgPath(): {"sample": "x", "sample.Kept": "y"}}}
	if _, err := (&modeller{c}).table(reflect.TypeFor[sample]()); err == nil || !strings.Contains(err.Error(), "sample.Silent has no comment") {
		t.Errorf("got %v", err)
	}
}

func TestWordsOfComments(t *testing.T) {
	for _, c := range []struct{ comment, field, key, want string }{
		{"Size is the whole image's\nin MiB.\n", "Size", "size-mib", "The whole image's in MiB."},
		{"Links are names.\n", "Links", "links", "Names."},
		{"Where says how.\n", "Where", "where", "`where` says how."},
		{"octal, default 0755\n", "Mode", "mode", "Octal, default 0755"},
		{"A list:\n\n\ta b\n\tc\n\nMore.\n", "X", "x", "A list:\n\n    a b\n    c\n\nMore."},
	} {
		if got := keyDoc(c.comment, c.field, c.key); got != c.want {
			t.Errorf("%q: got %q, want %q", c.comment, got, c.want)
		}
	}
	for comment, want := range map[string]string{
		"T is a/<b>.toml: what\nis built. More: this.\n": "What is built. More: this.",
		"T waits.\n":                 "Waits.",
		"T is one. It says: much.\n": "One. It says: much.",
	} {
		if got := tableDoc(comment, "T"); got != want {
			t.Errorf("%q: got %q, want %q", comment, got, want)
		}
	}
}

func TestProse(t *testing.T) {
	if got := cell("a <b> [c] * `<d>[e]*` x|y"); got != "a &lt;b> \\[c] \\* `<d>[e]*` x\\|y" {
		t.Error(got)
	}
}
