package cargoedit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/tomledit"
)

const manifestName = "Cargo.toml"

type table = map[string]any

// manifest is a Cargo.toml: decoded for looking, as a document for changing.
type manifest struct {
	file string // on this machine
	top  table
	doc  *tomledit.Document
	was  []byte
}

func readManifest(file string) (*manifest, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := &manifest{file: file, was: data}
	if m.doc, err = tomledit.Parse(data); err != nil {
		return nil, &FileError{file, err}
	}
	if err := toml.Unmarshal(data, &m.top); err != nil {
		return nil, &FileError{file, err}
	}
	return m, nil
}

// FileError is about the text of one file. Whoever knows what the folder on this machine stands for gives File the
// name that its reader knows.
type FileError struct {
	File string
	Err  error
}

func (e *FileError) Error() string { return e.File + ": " + e.Err.Error() }

func (e *FileError) Unwrap() error { return e.Err }

// save writes the manifest if it was changed.
func (m *manifest) save() error {
	data := m.doc.Bytes()
	if bytes.Equal(data, m.was) {
		return nil
	}
	return writeFile(m.file, data)
}

func (m *manifest) dir() string { return filepath.Dir(m.file) }

// sub walks tables; nil when a part is missing or no table.
func sub(t table, key ...string) table {
	for _, k := range key {
		t, _ = t[k].(table)
	}
	return t
}

func (m *manifest) packageName() string {
	name, _ := sub(m.top, "package")["name"].(string)
	return name
}

// version is the package's, looked up in its workspace (searched no higher
// than top) when inherited.
func (m *manifest) version(top string) (string, error) {
	switch v := sub(m.top, "package")["version"].(type) {
	case string:
		return v, nil
	case nil:
		return "0.0.0", nil // cargo's default
	}
	for dir := m.dir(); ; dir = filepath.Dir(dir) {
		if root, err := readManifest(filepath.Join(dir, manifestName)); err == nil {
			if v, ok := sub(root.top, "workspace", "package")["version"].(string); ok {
				return v, nil
			}
		}
		if dir == filepath.Clean(top) || dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s: the workspace it inherits its version from is not found", m.file)
		}
	}
}

// dependency is one entry of one of the tables that hold dependencies.
type dependency struct {
	key  []string // path in the document, the last part is the name in the code
	spec table    // nil when it is just a version
	kind string   // "dependencies", "dev-dependencies", "build-dependencies", "workspace", "patch", "replace"
}

var dependencyTables = []string{"dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies"}

// dependencies lists all entries in a fixed order.
func (m *manifest) dependencies() []dependency {
	var all []dependency
	add := func(kind string, at ...string) {
		t := sub(m.top, at...)
		for _, name := range sortedKeys(t) {
			spec, _ := t[name].(table)
			key := append(append([]string{}, at...), name)
			all = append(all, dependency{key: key, spec: spec, kind: kind})
		}
	}
	for _, kind := range dependencyTables {
		add(strings.ReplaceAll(kind, "_", "-"), kind)
	}
	for _, platform := range sortedKeys(sub(m.top, "target")) {
		for _, kind := range dependencyTables {
			add(strings.ReplaceAll(kind, "_", "-"), "target", platform, kind)
		}
	}
	add("workspace", "workspace", "dependencies")
	for _, source := range sortedKeys(sub(m.top, "patch")) {
		add("patch", "patch", source)
	}
	add("replace", "replace")
	return all
}

func sortedKeys(t table) []string {
	keys := make([]string, 0, len(t))
	for k := range t {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (d dependency) text(key string) string {
	s, _ := d.spec[key].(string)
	return s
}

func (d dependency) flag(key string) bool {
	b, _ := d.spec[key].(bool)
	return b
}

// packageName is the crate's own name, which `package` gives for a renamed
// dependency and "name:version" or a package id hold in [replace].
func (d dependency) packageName() string {
	if name := d.text("package"); name != "" {
		return name
	}
	name := d.key[len(d.key)-1]
	if d.kind == "replace" {
		name = name[strings.LastIndexAny(name, "#/")+1:]
		name, _, _ = strings.Cut(name, ":")
	}
	return name
}

func (d dependency) keyString() string { return strings.Join(d.key, ".") }
