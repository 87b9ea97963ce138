// Package importer reads recipes of Redox's cookbook and writes ours.
//
// It owns what is known of the cookbook's recipe.toml (the keys below; read from its recipes, since there is
// no other description) and the translation with a list of what could not be carried over. It must not
// fetch anything or know how recipes are built; what it writes is read by package recipe.
//
//	[source]  git, rev, branch, upstream, shallow_clone | tar, blake3 | path | same_as; patches, script
//	[build]   template = cargo, custom, configure, cmake, meson, go, remote, none; dependencies,
//	          dev-dependencies, cargoflags, package_path, script, …flags
//	[package] dependencies
//
// The file is foreign: unknown keys are reported, not refused.
package importer

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// cookbook is a foreign recipe, as far as it is understood.
type cookbook struct {
	Source struct {
		Git          string   `toml:"git"`
		Rev          string   `toml:"rev"`
		Branch       string   `toml:"branch"`
		Upstream     string   `toml:"upstream"`
		ShallowClone bool     `toml:"shallow_clone"`
		Tar          string   `toml:"tar"`
		Blake3       string   `toml:"blake3"`
		Path         string   `toml:"path"`
		SameAs       string   `toml:"same_as"`
		Patches      []string `toml:"patches"`
		Script       string   `toml:"script"`
	} `toml:"source"`
	Build struct {
		Template        string   `toml:"template"`
		Dependencies    []string `toml:"dependencies"`
		DevDependencies []string `toml:"dev-dependencies"`
		CargoFlags      any      `toml:"cargoflags"`
		PackagePath     string   `toml:"package_path"`
		Script          string   `toml:"script"`
	} `toml:"build"`
	Package struct {
		Dependencies []string `toml:"dependencies"`
	} `toml:"package"`
}

// Reason is why something was not carried over, the same words for all recipes so that they can be counted.
type Reason string

// The reasons.
const (
	NoSource   Reason = "it has no source"
	NoCommit   Reason = "its git source names no full commit"
	NoSHA256   Reason = "its archive has no SHA-256"
	Script     Reason = "it is built by a script"
	Template   Reason = "its template builds no Cargo workspace"
	Depends    Reason = "it needs libraries of other recipes"
	Runs       Reason = "it needs other packages when it runs"
	Folder     Reason = "its source is a folder beside it"
	Patched    Reason = "it has patches"
	CargoFlags Reason = "it gives flags to cargo"
	Unknown    Reason = "it has a key that is not known"
)

// Loss is one thing that was not carried over.
type Loss struct {
	Reason Reason
	// What is the thing itself: "rev = \"v1.2\"".
	What string
}

func (l Loss) String() string {
	if l.What == "" {
		return string(l.Reason)
	}
	return fmt.Sprintf("%s: %s", l.Reason, l.What)
}

// Result is a translated recipe.
type Result struct {
	// Text is our recipe.toml. With losses it is a skeleton that package recipe may refuse.
	Text string
	// Losses are what a person has to decide, in the order of the foreign file. None means that the
	// recipe is whole.
	Losses []Loss
	// Assumed are guesses that the foreign file does not settle.
	Assumed []string
}

var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Import translates the cookbook recipe of that name. The error is of the foreign file: it is no TOML, or a known key
// has a value of another kind.
func Import(name string, text []byte) (*Result, error) {
	var c cookbook
	meta, err := toml.Decode(string(text), &c)
	if err != nil {
		return nil, err
	}
	i := &importer{name: name, c: &c}
	i.unknown(meta)
	i.source()
	i.build()
	return &Result{Text: i.out.String(), Losses: i.losses, Assumed: i.assumed}, nil
}

type importer struct {
	name    string
	c       *cookbook
	out     strings.Builder
	losses  []Loss
	assumed []string
}

func (i *importer) line(format string, args ...any) { fmt.Fprintf(&i.out, format+"\n", args...) }

func (i *importer) lose(reason Reason, format string, args ...any) {
	i.losses = append(i.losses, Loss{reason, fmt.Sprintf(format, args...)})
}

func (i *importer) unknown(meta toml.MetaData) {
	for _, key := range meta.Undecoded() {
		// A flag of a template that is lost as a whole says nothing more.
		if last := key[len(key)-1]; strings.HasSuffix(last, "flags") && !slices.Contains([]string{"", "none", "cargo"}, i.c.Build.Template) {
			continue
		}
		i.lose(Unknown, "%s", key)
	}
}

func (i *importer) source() {
	s := i.c.Source
	i.line("description = %q", i.name+", imported from the cookbook")
	i.line("")
	i.line("[source]")
	switch {
	case s.SameAs != "":
		i.line("same-as = %q", path.Base(s.SameAs))
	case s.Git != "":
		i.line("git = %q", s.Git)
		i.line("commit = %q", s.Rev)
		if !fullCommit.MatchString(s.Rev) {
			i.lose(NoCommit, "rev = %q, branch = %q", s.Rev, s.Branch)
		}
	case s.Tar != "":
		i.line("archive = %q", s.Tar)
		i.line(`sha256 = ""`)
		i.line("strip = 1")
		i.lose(NoSHA256, "blake3 = %q", s.Blake3)
	case s.Path != "":
		i.line("path = %q", s.Path)
		i.lose(Folder, "path = %q", s.Path)
	default:
		i.lose(NoSource, "")
	}
	for _, p := range s.Patches {
		i.lose(Patched, "%s", p)
	}
	if s.Script != "" {
		i.lose(Script, "source.script")
	}
}

func (i *importer) build() {
	b := i.c.Build
	switch b.Template {
	case "cargo":
		i.cargo()
	case "custom":
		i.lose(Script, "template = \"custom\"")
	case "", "none":
		// A recipe that only fetches a source for others, or only has dependencies.
	default:
		i.lose(Template, "template = %q", b.Template)
	}
	if b.Script != "" && b.Template != "custom" {
		i.lose(Script, "build.script")
	}
	for _, d := range slices.Concat(b.Dependencies, b.DevDependencies) {
		i.lose(Depends, "%s", d)
	}
	for _, d := range i.c.Package.Dependencies {
		i.lose(Runs, "%s", d)
	}
}

// cargo is the cookbook's template of that name: all programs of one package go to usr/bin.
func (i *importer) cargo() {
	b := i.c.Build
	if b.CargoFlags != nil && b.CargoFlags != "" {
		i.lose(CargoFlags, "%v", b.CargoFlags)
	}
	i.assumed = append(i.assumed, fmt.Sprintf("package and program are both called %q", i.name))
	i.line("")
	i.line("[[step]]")
	i.line("name = %q", "programs")
	i.line("kind = %q", "cargo")
	if b.PackagePath != "" {
		i.line("dir = %q", b.PackagePath)
	}
	i.line("packages = [%q]", i.name)
	i.line("sysroot = %q", "sysroot")
	i.line("")
	i.line("[[file]]")
	i.line("from = %q", "programs/"+i.name)
	i.line("to = %q", "usr/bin/"+i.name)
	i.line("strip = %q", "all")
}
