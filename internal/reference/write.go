package reference

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/google/renameio/v2"
)

// Texts are all generated files of the checkout at root, by slash path.
func Texts(root string) (map[string][]byte, error) {
	m := &modeller{comments: &comments{root: root, packages: map[string]map[string]string{}}}
	degrees := map[Stability]string{}
	for _, s := range []Stability{Stable, Experimental, Generated} {
		doc, err := m.comments.ofValue(reflect.TypeFor[Stability](), string(s))
		if err != nil {
			return nil, err
		}
		word, rest, _ := strings.Cut(joinLines(doc), " ")
		degrees[s] = "**" + word + "** " + rest
	}
	texts := map[string][]byte{
		".taplo.toml":                            []byte(taploText()),
		path.Join(PagesFolder, "README.md"):      []byte(indexText(degrees)),
		path.Join(PagesFolder, "environment.md"): []byte(environmentText(degrees[Stable])),
	}
	for _, f := range Files() {
		t, err := m.table(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		texts[path.Join(PagesFolder, f.Name+".md")] = []byte(pageText(f, t, degrees[f.Stability]))
		if texts[path.Join(SchemasFolder, f.Name+".json")], err = schemaText(f, t); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// Write brings the files of the checkout at root up to date. A file that is right is left alone with its times, and one that nothing
// gives any more is removed.
func Write(root string) error {
	texts, err := Texts(root)
	if err != nil {
		return err
	}
	for name, text := range texts {
		file := filepath.Join(root, filepath.FromSlash(name))
		if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := renameio.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	for _, name := range stale(root, texts) {
		if err := os.Remove(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return nil
}

// stale are the files in the folders of what is generated that are in no text, as slash paths.
func stale(root string, texts map[string][]byte) []string {
	var names []string
	for _, folder := range []string{PagesFolder, SchemasFolder} {
		entries, _ := os.ReadDir(filepath.Join(root, filepath.FromSlash(folder))) // none where there is no folder
		for _, e := range entries {
			if name := path.Join(folder, e.Name()); texts[name] == nil {
				names = append(names, name)
			}
		}
	}
	return names
}
