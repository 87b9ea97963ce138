package pages

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// page is one file of documentation.
type page struct {
	path   string // slash path below the checkout
	text   string
	blocks []block
	// prose is the text with every line of a code block empty, so that lines keep their numbers.
	prose string
}

// block is a fenced code block.
type block struct {
	line     int // of its first line of text, from 1
	language string
	marks    map[string]string // "run" -> "", "file" -> "recipes/hello/recipe.toml"
	text     string
}

func (b *block) has(mark string) bool { _, ok := b.marks[mark]; return ok }

var fence = regexp.MustCompile("^ *```(.*)$")

// parsePage takes a page apart.
func parsePage(path, text string) page {
	p := page{path: path, text: text}
	var prose strings.Builder
	var open *block
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && open == nil:
			open = newBlock(i+2, m[1])
		case m != nil:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "    "): // an indented block
		default:
			prose.WriteString(line)
		}
		prose.WriteString("\n")
	}
	p.prose = prose.String()
	return p
}

func newBlock(line int, info string) *block {
	b := &block{line: line, marks: map[string]string{}}
	for i, word := range strings.Fields(info) {
		if i == 0 {
			b.language = word
			continue
		}
		mark, value, _ := strings.Cut(word, "=")
		b.marks[mark] = value
	}
	return b
}

// spans are the pieces of inline code, with their lines.
func (p *page) spans() map[int][]string {
	all := map[int][]string{}
	for i, line := range strings.Split(p.prose, "\n") {
		for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
			all[i+1] = append(all[i+1], m[1])
		}
	}
	return all
}

var inlineCode = regexp.MustCompile("`([^`]+)`")

// readPages reads every Markdown file of the checkout but for what builds leave there.
func readPages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "out" || e.Name() == ".git" || e.Name() == "testdata" || e.Name() == "target") {
			return fs.SkipDir
		}
		if e.IsDir() || filepath.Ext(file) != ".md" {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		all = append(all, parsePage(filepath.ToSlash(rel), string(text)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// manuals are the pages that say what holds now. A note says what held on its day.
func manuals(t *testing.T) []page {
	var now []page
	for _, p := range readPages(t) {
		if !strings.HasPrefix(p.path, "notes/") {
			now = append(now, p)
		}
	}
	return now
}

func TestPageIsTakenApart(t *testing.T) {
	p := parsePage("a.md", "# A\n\nsay `one`\n```console run file=x\n$ two\n```\n`three`\n")
	if len(p.blocks) != 1 || p.blocks[0].line != 5 || p.blocks[0].text != "$ two\n" || !p.blocks[0].has("run") || p.blocks[0].marks["file"] != "x" {
		t.Errorf("%+v", p.blocks)
	}
	if spans := p.spans(); len(spans[3]) != 1 || spans[3][0] != "one" || len(spans[7]) != 1 {
		t.Errorf("%v", spans)
	}
}
