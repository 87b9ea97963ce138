// Package draft writes the text of a new recipe.
//
// It owns how a recipe.toml looks that a program wrote: the order of the tables and their short forms. It must not know where the
// facts in it are from, nor fill in any: what is missing is missing in the text too, for a person to see.
package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/tomledit"
)

// Draft is a recipe that is about to be written. Source, Cargo and Step are as in the recipe itself, as far as a draft has them: one
// cargo step, or none.
type Draft struct {
	Description string
	Source      recipe.Source
	Cargo       recipe.Cargo
	// Step is the cargo step; one without a name is none.
	Step recipe.Step
	// Programs of the step are installed into usr/bin.
	Programs []string
}

// Text is the recipe.toml. Package recipe refuses it when something that has to be there was not filled in.
func (d *Draft) Text() string {
	w := &writer{}
	w.line("description = %s", quote(d.Description))
	d.source(w)
	d.cargo(w)
	if d.Step.Name != "" {
		d.step(w)
	}
	if len(d.Programs) > 0 {
		w.table("[install]")
		w.list(quote("usr/bin"), d.outputs())
	}
	return w.String()
}

// outputs are the references to the programs.
func (d *Draft) outputs() (refs []string) {
	for _, name := range d.Programs {
		refs = append(refs, d.Step.Name+"/"+name)
	}
	return refs
}

func (d *Draft) source(w *writer) {
	s := d.Source
	w.table("[source]")
	switch {
	case s.SameAs != "":
		w.line("same-as = %s", quote(s.SameAs))
	case s.Git != "":
		w.line("git = %s", quote(s.Git))
		w.line("commit = %s", quote(s.Commit))
	case s.Archive != "":
		d.archive(w)
	case s.Crate != "":
		w.line("crate = %s", quote(s.Crate))
		w.line("version = %s", quote(s.Version))
		w.line("sha256 = %s", quote(s.SHA256))
	case s.Path != "":
		w.line("path = %s", quote(s.Path))
	}
	for _, at := range slices.Sorted(maps.Keys(s.Submodules)) {
		w.table("[%s]", tomledit.Dotted([]string{"source", "submodules", at}))
		w.line("git = %s", quote(s.Submodules[at].Git))
		w.line("commit = %s", quote(s.Submodules[at].Commit))
	}
}

func (d *Draft) archive(w *writer) {
	s := d.Source
	w.line("archive = %s", quote(s.Archive))
	if s.Blake3 != "" {
		w.line("blake3 = %s", quote(s.Blake3))
	} else {
		w.line("sha256 = %s", quote(s.SHA256))
	}
	w.line("strip = %d", s.Strip)
}

func (d *Draft) cargo(w *writer) {
	c := d.Cargo
	if c.Dir+c.Lock != "" || len(c.Members) > 0 {
		w.table("[cargo]")
	}
	w.text("dir", c.Dir)
	w.list("members", c.Members)
	w.text("lock", c.Lock)
	if len(c.Replace) > 0 {
		w.table("[cargo.replace]")
	}
	for _, url := range slices.Sorted(maps.Keys(c.Replace)) {
		w.line("%s = %s", quote(url), quote(c.Replace[url]))
	}
}

func (d *Draft) step(w *writer) {
	s := d.Step
	w.table("[[step]]")
	w.line("name = %s", quote(s.Name))
	w.line("kind = \"cargo\"")
	w.text("dir", s.Dir)
	w.list("packages", s.Packages)
	if !slices.Equal(d.Programs, s.Packages) {
		w.list("bins", d.Programs)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, name+" = "+quote(s.Env[name]))
	}
	if len(env) > 0 {
		w.line("env = { %s }", strings.Join(env, ", "))
	}
}

// writer writes TOML.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.Builder, format+"\n", args...) }

func (w *writer) table(format string, args ...any) { w.line("\n"+format, args...) }

// text writes a key that has a value.
func (w *writer) text(key, value string) {
	if value != "" {
		w.line("%s = %s", key, quote(value))
	}
}

func (w *writer) list(key string, values []string) {
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, quote(v))
	}
	if len(values) > 0 {
		w.line("%s = [%s]", key, strings.Join(quoted, ", "))
	}
}

// quote is a basic string of TOML. It knows fewer escapes than Go's strconv writes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
