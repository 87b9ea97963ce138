package crates

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ConfigName is the file by which cargo takes everything from the folder.
const ConfigName = "config.toml"

// Config is the text of that file when the folder has this name in the folder around it. registries are the indexes of
// registries that manifests call by a name.
func (l *Lock) Config(folder string, registries map[string]string) string {
	c := newConfig(folder)
	c.replace("crates-io", "registry")
	for _, crate := range l.Crates {
		if place := registryFolder(crate.Source); place != "registry" {
			c.replace(crate.Source, place, setting("registry", strings.TrimPrefix(crate.Source, "registry+")))
		}
	}
	c.repositories(l)
	for _, name := range slices.Sorted(maps.Keys(registries)) {
		fmt.Fprintf(&c.text, "\n[registries.%q]\n%s", name, setting("index", registries[name]))
	}
	return c.text.String()
}

// FetchConfig is the same for the repositories alone: cargo, which gets the crates, finds them here.
func (l *Lock) FetchConfig(folder string) string {
	c := newConfig(folder)
	c.repositories(l)
	return c.text.String()
}

// config is a configuration of cargo's while it is written.
type config struct {
	folder string
	text   strings.Builder
	has    map[string]bool // sources that are described
}

func newConfig(folder string) *config {
	c := &config{folder: folder, has: map[string]bool{}}
	c.text.WriteString("# Whatever Cargo.lock names is in this folder.\n")
	return c
}

// replace puts a folder in the place of a source, which the settings describe.
func (c *config) replace(source, place string, settings ...string) {
	if !c.has[source] {
		c.has[source] = true
		fmt.Fprintf(&c.text, "\n[source.%q]\n%s%s", source, strings.Join(settings, ""), setting("replace-with", place))
	}
	if !c.has[place] {
		c.has[place] = true
		fmt.Fprintf(&c.text, "\n[source.%q]\n%s", place, setting("directory", path.Join(c.folder, place)))
	}
}

func (c *config) repositories(l *Lock) {
	for _, r := range l.Repositories {
		c.replace(r.Source, path.Join(r.Folder(), "crates"), append([]string{setting("git", r.URL)}, r.reference()...)...)
	}
}

func setting(key, value string) string { return key + " = " + strconv.Quote(value) + "\n" }

// reference is the branch, tag or revision that the manifests ask for.
func (r Repository) reference() []string {
	_, query, _ := strings.Cut(r.Source, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil
	}
	var keys []string
	for _, key := range []string{"branch", "tag", "rev"} {
		if v := values.Get(key); v != "" {
			keys = append(keys, setting(key, v))
		}
	}
	return keys
}

// RegistryChecksum is the text of the file that a directory source has beside each manifest, for a crate: cargo holds
// sum, of the whole crate, to that of Cargo.lock, and checks single files only where they are listed.
func RegistryChecksum(sum string) string { return fmt.Sprintf("{\"files\":{},\"package\":%q}", sum) }

// GitChecksum is the same for a package of a repository.
const GitChecksum = `{"files":{},"package":null}`

// ChecksumName is the name of that file.
const ChecksumName = ".cargo-checksum.json"
