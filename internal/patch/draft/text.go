package draft

import (
	"fmt"
	"strings"

	"github.com/pannous/redox-clif/internal/patch"
)

// text is a patch as it stands in its file.
func text(d *patch.Document) string {
	w := &writer{}
	w.value("title", d.Title)
	w.value("reason", strings.TrimSpace(d.Reason)+"\n")
	w.given("upstream", d.Upstream)
	w.given("test", d.Test)
	w.condition("[needed]", d.Needed)
	w.condition("[satisfied]", d.Satisfied)
	for i := range d.Context {
		w.condition("[[context]]", &d.Context[i])
	}
	for _, e := range d.Edit {
		w.edit(e)
	}
	for _, f := range d.File {
		w.line("\n[[file]]")
		w.value("path", f.Path)
		w.given("from", f.From)
		if f.Text != nil {
			w.value("text", *f.Text)
		}
	}
	return w.String()
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.Builder, format+"\n", args...) }

func (w *writer) value(key, value string) { w.line("%s = %s", key, Quote(value)) }

// given writes a key that has a value.
func (w *writer) given(key, value string) {
	if value != "" {
		w.value(key, value)
	}
}

func (w *writer) condition(name string, c *patch.DocumentCondition) {
	if c == nil {
		return
	}
	w.line("\n%s", name)
	w.value("file", c.File)
	w.value("pattern", c.Pattern)
}

func (w *writer) edit(e patch.DocumentEdit) {
	w.line("\n[[edit]]")
	w.value("file", e.File)
	w.value("anchor", e.Anchor)
	w.given("until", e.Until)
	w.value("where", string(e.Where))
	w.value("text", *e.Text)
	if e.Count != nil {
		w.line("count = %d", *e.Count)
	}
	if e.Regex {
		w.line("regex = true")
	}
	w.given("satisfied", e.Satisfied)
	if len(e.Context) > 0 {
		var quoted []string
		for _, text := range e.Context {
			quoted = append(quoted, Quote(text))
		}
		w.line("context = [%s]", strings.Join(quoted, ", "))
	}
}

// Quote is a string of TOML in the form that a person would choose: with nothing escaped, if that can be.
func Quote(s string) string {
	switch {
	case !strings.ContainsAny(s, "\n\"\\'"):
		return `"` + escape(s) + `"`
	case !strings.Contains(s, "\n") && !strings.Contains(s, "'"):
		return "'" + s + "'"
	case !strings.Contains(s, "\n") && !strings.ContainsAny(s, `"\`):
		return `"` + escape(s) + `"`
	case strings.Contains(s, "\n") && !strings.ContainsAny(s, `"\`):
		return "\"\"\"\n" + s + `"""`
	case !strings.Contains(s, "'''") && !strings.HasSuffix(s, "'"):
		return "'''\n" + s + "'''"
	}
	return "\"\"\"\n" + escape(s) + `"""`
}

// escape has the escapes of a basic string of TOML, which may go over several lines.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\r", `\r`).Replace(s)
}
