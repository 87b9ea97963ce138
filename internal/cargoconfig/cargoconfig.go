// Package cargoconfig reads from the user's own cargo configuration how to download, for a cargo that has another home.
//
// It owns which tables that are, and how cargo reads them: the files that one includes, which of two values counts, and
// what a relative path is relative to. It must not know where the result goes.
//
// Source of the facts: the Cargo reference (configuration) and cargo's own reader (src/util/context), as of 1.94.
package cargoconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

type table = map[string]any

// carried are the tables that say where and how to download. Everything else (flags, wrappers, profiles, linkers) would
// change what is built without being in any digest, so it is left behind.
var carried = []string{"source", "registries", "registry", "http", "net"}

// Download is the carried tables of the configuration in a home of cargo's, as TOML whose paths are absolute; empty when
// there is none. files are those that were looked for.
func Download(home string) (text string, files []string, err error) {
	r := &reading{}
	all, err := r.of(home)
	if err != nil {
		return "", nil, err
	}
	text, err = encode(all)
	return text, r.files, err
}

// reading is one reading of a configuration.
type reading struct{ files []string }

func encode(all table) (string, error) {
	if len(all) == 0 {
		return "", nil
	}
	var text strings.Builder
	err := toml.NewEncoder(&text).Encode(all)
	return text.String(), err
}

// of is the carried tables of the configuration in a home of cargo's.
func (r *reading) of(home string) (table, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"config", "config.toml"} { // where both are there, cargo takes the first
		file := filepath.Join(home, name)
		r.files = append(r.files, file)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return r.read(file, nil)
	}
	return nil, nil
}

// Registries are the indexes of the registries that the configuration in a home of cargo's names, by their names.
func Registries(home string) (map[string]string, error) {
	var all struct {
		Registries map[string]struct{ Index string }
	}
	_, err := toml.DecodeFile(filepath.Join(home, "config.toml"), &all)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	indexes := map[string]string{}
	for name, r := range all.Registries {
		if r.Index != "" {
			indexes[name] = r.Index
		}
	}
	return indexes, nil
}

// read gives the carried tables of a file and of those it includes. chain are the files that include it.
func (r *reading) read(file string, chain []string) (table, error) {
	if slices.Contains(chain, file) {
		return nil, fmt.Errorf("%s includes itself, by way of %s: take one of the include keys out", file, strings.Join(chain, ", "))
	}
	var all table
	if _, err := toml.DecodeFile(file, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	merged := table{}
	includes, err := includesOf(file, all)
	if err != nil {
		return nil, err
	}
	for _, i := range includes {
		r.files = append(r.files, i.path)
		if _, err := os.Stat(i.path); i.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		below, err := r.read(i.path, append(chain, file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: include: %w", file, err)
		}
		if err != nil {
			return nil, err
		}
		merged = merge(merged, below).(table)
	}
	own := table{}
	for _, name := range carried {
		if v, ok := all[name]; ok {
			own[name] = v
		}
	}
	absolute(own, filepath.Dir(filepath.Dir(file)))
	return merge(merged, own).(table), nil
}

type include struct {
	path     string
	optional bool
}

// includesOf reads the key include: a path, or a list of paths and of tables with path and optional. They are relative to
// the folder of the file.
func includesOf(file string, all table) ([]include, error) {
	list, ok := all["include"].([]any)
	switch given := all["include"].(type) {
	case nil:
		return nil, nil
	case []table: // [[include]]
		for _, one := range given {
			list = append(list, one)
		}
	default:
		if !ok {
			list = []any{given}
		}
	}
	var found []include
	for _, one := range list {
		t, isTable := one.(table)
		if !isTable {
			t = table{"path": one}
		}
		path, ok := t["path"].(string)
		if !ok || path == "" {
			return nil, fmt.Errorf("%s: include = %v: want a path, or a list of paths and of tables with a path", file, one)
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(file), path)
		}
		optional, _ := t["optional"].(bool)
		found = append(found, include{path, optional})
	}
	return found, nil
}

// merge lets what over says count more than what under says: lists go one behind the other, tables key by key.
func merge(under, over any) any {
	switch o := over.(type) {
	case table:
		u, ok := under.(table)
		if !ok {
			return over
		}
		for key, value := range o {
			if old, there := u[key]; there && !replaced[key] {
				value = merge(old, value)
			}
			u[key] = value
		}
		return u
	case []any:
		if u, ok := under.([]any); ok {
			return append(u, o...)
		}
	}
	return over
}

// replaced are the lists of which the one that counts more takes the place of the other: a program with its arguments.
var replaced = map[string]bool{"credential-provider": true}

// absolute makes the paths of a file's tables absolute. Cargo takes them relative to the folder around that of the file.
func absolute(all table, base string) {
	join := func(t table, key string) {
		if path, ok := t[key].(string); ok && !filepath.IsAbs(path) {
			t[key] = filepath.Join(base, path)
		}
	}
	for _, s := range tables(all["source"]) {
		join(s, "directory")
		join(s, "local-registry")
	}
	if http, ok := all["http"].(table); ok {
		join(http, "cainfo")
		join(http, "proxy-cainfo")
	}
	registries := tables(all["registries"])
	for _, r := range registries {
		if index, ok := r["index"].(string); ok {
			r["index"] = absoluteURL(index, base)
		}
	}
	if r, ok := all["registry"].(table); ok {
		registries = append(registries, r)
		if list, ok := r["global-credential-providers"].([]any); ok {
			for i, one := range list {
				list[i] = program(one, base)
			}
		}
	}
	for _, r := range registries {
		if provider, ok := r["credential-provider"]; ok {
			r["credential-provider"] = program(provider, base)
		}
	}
}

// tables are the tables in a table.
func tables(of any) []table {
	var found []table
	all, _ := of.(table)
	for _, one := range all {
		if t, ok := one.(table); ok {
			found = append(found, t)
		}
	}
	return found
}

// program makes the path of a program absolute; its name alone is looked for in PATH, and "cargo:" are cargo's own. It is
// written with its arguments as one string or as a list.
func program(value any, base string) any {
	text, _ := value.(string)
	list, isList := value.([]any)
	if isList && len(list) > 0 {
		text, _ = list[0].(string)
	}
	name, arguments, _ := strings.Cut(text, " ")
	if isList {
		name, arguments = text, ""
	}
	if !strings.Contains(name, "/") || filepath.IsAbs(name) || strings.HasPrefix(name, "cargo:") {
		return value
	}
	name = filepath.Join(base, name)
	if isList {
		return append([]any{name}, list[1:]...)
	}
	return strings.TrimSpace(name + " " + arguments)
}

// absoluteURL makes the URL of a path of what is written as one.
func absoluteURL(text, base string) string {
	if u, err := url.Parse(text); err != nil || u.Scheme != "" {
		return text
	}
	path := text
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}
