package pages

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/test/wants"
)

var variable = regexp.MustCompile(`\bREDOX_[A-Z0-9_]*[A-Z0-9]`)

// TestVariables: every variable of ours that a page names is read.
func TestVariables(t *testing.T) {
	known := variable.FindAllString(config.Help(), -1)
	for _, v := range wants.All() {
		known = append(known, v.Name)
	}
	for _, p := range manuals(t) {
		for i, line := range strings.Split(p.text, "\n") {
			for _, name := range variable.FindAllString(line, -1) {
				given := strings.HasPrefix(name, "REDOX_SOURCE") || name == "REDOX_TEST"
				if !given && !slices.Contains(known, name) && !slices.Contains(misspelt, name) {
					t.Errorf("%s:%d: nothing reads %s", p.path, i+1, name)
				}
			}
		}
	}
}

// misspelt are on the pages to show what then happens.
var misspelt = []string{"REDOX_TOOLCHIAN"}

// ours is what begins like a path of the checkout.
var ours = regexp.MustCompile(`^(\.ci|\.github|docs|examples|images|internal|magefiles|notes|patches|recipes|targets|testdata/script|toolchain)/[^\s:]+$`)

// TestPaths: every path of the checkout that a page names is there, unless the page itself has it written.
func TestPaths(t *testing.T) {
	checked := 0
	for _, p := range manuals(t) {
		for line, spans := range p.spans() {
			for _, span := range spans {
				if !ours.MatchString(span) || p.writes(span) || stands(span) {
					continue
				}
				checked++
				found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(strings.TrimSuffix(span, "/"))))
				if err != nil || len(found) == 0 {
					t.Errorf("%s:%d: there is no %s", p.path, line, span)
				}
			}
		}
	}
	if checked < 30 {
		t.Errorf("only %d paths were found on the pages: they are not being read", checked)
	}
}

// writes tells whether a path belongs to the page's own example: a file that it has written, a folder of one, or what else there is in a folder
// that only the page knows.
func (p *page) writes(at string) bool {
	at = strings.TrimSuffix(at, "/")
	for _, b := range p.blocks {
		file := b.marks["file"]
		if file == "" {
			continue
		}
		_, err := os.Stat(filepath.Join(root, path.Dir(file)))
		if file == at || strings.HasPrefix(file, at+"/") || err != nil && strings.HasPrefix(at, path.Dir(file)+"/") {
			return true
		}
	}
	return false
}

// stands tells whether a part of a path stands for others: recipes/NAME, patches/<series>.
func stands(at string) bool { return placeholder.MatchString(at) }

var placeholder = regexp.MustCompile(`[<{…]|NNNN|/[A-Z]+(/|\.|$)|-NAME|/NAME`)

// TestGeneratedFilesAreSaidToBe: what .gitattributes calls generated is there.
func TestGeneratedFilesAreSaidToBe(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".gitattributes"))
	if err != nil {
		t.Fatal(err)
	}
	generated := 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || !slices.Contains(words, "linguist-generated") {
			continue
		}
		generated++
		if found, err := filepath.Glob(filepath.Join(root, words[0])); err != nil || len(found) == 0 {
			t.Errorf(".gitattributes: there is no %s", words[0])
		}
	}
	if generated < 4 {
		t.Errorf(".gitattributes has %d generated files", generated)
	}
}
