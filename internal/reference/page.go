package reference

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Folders of what is written, as slash paths in the checkout, and the command that does it.
const (
	PagesFolder   = "docs/reference"
	SchemasFolder = "docs/schemas"
	Command       = "go generate ./internal/reference"
)

var generatedMark = fmt.Sprintf("<!-- Code generated from the comments in the source by %q. DO NOT EDIT. -->\n", Command)

// page writes what a kind of file takes, a section for each table.
type page struct {
	text strings.Builder
	// sections are the headings of the tables that have one, by type: a table that comes up again is led there.
	sections map[reflect.Type]string
	// waiting are the tables whose sections come after the one that is being written.
	waiting []section
}

type section struct {
	heading string
	table   *table
}

// pageText is the page of a kind of file.
func pageText(f File, t *table, stability string) string {
	p := &page{sections: map[reflect.Type]string{}}
	fmt.Fprintf(&p.text, "%s\n# `%s`\n\n%s\n\n", generatedMark, f.Path, prose(t.Doc))
	fmt.Fprintf(&p.text, "%s Schema: [%s.json](../schemas/%[2]s.json).", stability, f.Name)
	if f.Example != "" {
		fmt.Fprintf(&p.text, " Example: [%s](../../%[1]s).", f.Example)
	}
	p.text.WriteString("\n")
	p.keys(t, "")
	for len(p.waiting) > 0 {
		next := p.waiting[0]
		p.waiting = p.waiting[1:]
		fmt.Fprintf(&p.text, "\n## `%s`\n\n%s\n", next.heading, prose(next.table.Doc))
		p.keys(next.table, strings.Trim(next.heading, "[]"))
	}
	return p.text.String()
}

// keys is the list of what a table takes. path is where the table is in the file.
func (p *page) keys(t *table, path string) {
	p.text.WriteString("\n| key | value | meaning |\n|---|---|---|\n")
	var oneOf []string
	at := len(p.waiting)
	for _, k := range t.Keys {
		kind := p.kind(k.Value, strings.TrimPrefix(path+"."+k.Name, "."))
		if k.Required {
			kind += ", **required**"
		}
		if k.OneOf {
			kind += ", **one of them**"
			oneOf = append(oneOf, "`"+k.Name+"`")
		}
		fmt.Fprintf(&p.text, "| `%s` | %s | %s%s |\n", k.Name, kind, cell(k.Doc), choices(k.Value))
	}
	if len(oneOf) > 0 {
		fmt.Fprintf(&p.text, "\nExactly one of %s has to be there.\n", strings.Join(oneOf, ", "))
	}
	// What is below this table comes before what else waits.
	p.waiting = slices.Concat(p.waiting[at:], p.waiting[:at])
}

// kind says what a key takes, and has the tables that it names written further down.
func (p *page) kind(v value, path string) string {
	switch v.Form {
	case formTable:
		return p.link("["+path+"]", v.Table)
	case formMap:
		if v.Item.Form == formTable {
			return p.link("["+path+".<name>]", v.Item.Table)
		}
		below := p.kind(*v.Item, path+".<name>")
		if v.Item.Form == formMap && strings.HasPrefix(below, "[") {
			return below
		}
		return "table of " + plural(below)
	case formList:
		if v.Item.Form == formTable {
			return p.link("[["+path+"]]", v.Item.Table)
		}
		return "list of " + plural(p.kind(*v.Item, path))
	case formBool:
		return "true or false"
	case formAny:
		return "any value"
	}
	return string(v.Form)
}

// plural is for kinds of value in lists and tables.
func plural(kind string) string {
	for _, one := range []string{"string", "integer", "number", "value"} {
		if strings.HasSuffix(kind, one) {
			return strings.TrimPrefix(kind, "any ") + "s"
		}
	}
	return regexp.MustCompile(`^(list|table) of `).ReplaceAllString(kind, "${1}s of ")
}

// link leads to the section of a table.
func (p *page) link(heading string, t *table) string {
	known, there := p.sections[t.Type]
	if !there {
		known = heading
		p.sections[t.Type] = heading
		p.waiting = append(p.waiting, section{heading, t})
	}
	if known != heading {
		return fmt.Sprintf("`%s`, as [`%s`](#%s)", heading, known, anchor(known))
	}
	return fmt.Sprintf("[`%s`](#%s)", heading, anchor(heading))
}

// anchor is how GitHub names a heading.
func anchor(heading string) string {
	return strings.ToLower(regexp.MustCompile(`[^A-Za-z0-9_-]`).ReplaceAllString(heading, ""))
}

// choices are the values of an enumeration, a line each.
func choices(v value) string {
	if v.Form == formList {
		return choices(*v.Item)
	}
	var b strings.Builder
	for _, one := range v.Enum {
		fmt.Fprintf(&b, "<br>`%s`: %s", one.Name, cell(one.Doc))
	}
	return b.String()
}

// cell is text in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(prose(text), "|", "\\|"), "\n\n", "<br>")
}

// prose is text in which nothing but `code` is Markdown.
func prose(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "    ") {
			continue
		}
		parts := strings.Split(line, "`")
		for j := 0; j < len(parts); j += 2 {
			parts[j] = strings.NewReplacer("<", "&lt;", "*", "\\*", "[", "\\[").Replace(parts[j])
		}
		lines[i] = strings.Join(parts, "`")
	}
	return strings.Join(lines, "\n")
}
