package pages

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\[[^]]*\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	noWord  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinks: every link to a file, a folder or a heading leads there.
func TestLinks(t *testing.T) {
	for _, p := range readPages(t) {
		for i, line := range strings.Split(p.prose, "\n") {
			for _, m := range link.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, ""), -1) {
				if problem := p.follow(m[1]); problem != "" {
					t.Errorf("%s:%d: %s: %s", p.path, i+1, m[1], problem)
				}
			}
		}
	}
}

// follow says what is wrong with a link, "" when nothing is.
func (p *page) follow(to string) string {
	if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
		return ""
	}
	file, anchor, _ := strings.Cut(to, "#")
	at := p.path
	if file != "" {
		at = path.Join(path.Dir(p.path), file)
	}
	if strings.HasPrefix(at, "../") {
		return "it leads out of the checkout"
	}
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(at)))
	if err != nil {
		return "there is no " + at
	}
	if anchor == "" {
		return ""
	}
	if info.IsDir() {
		return "a folder has no headings"
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(at)))
	if err != nil {
		return err.Error()
	}
	for _, m := range heading.FindAllStringSubmatch(parsePage(at, string(text)).prose, -1) {
		if anchorOf(m[1]) == anchor {
			return ""
		}
	}
	return at + " has no such heading"
}

// anchorOf is the name that GitHub gives to a heading.
func anchorOf(heading string) string {
	return strings.ReplaceAll(noWord.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

func TestDeadLinksAreSeen(t *testing.T) {
	p := parsePage("docs/a.md", "# A `b`, c\n")
	for to, good := range map[string]bool{
		"testing.md": true, "../README.md": true, "../docs": true, "https://example.org/x": true, "../LICENSE": true,
		"nothing.md": false, "README": false, "testing.md#no-such-heading": false, "../../x.md": false, "../docs#x": false,
	} {
		if problem := p.follow(to); (problem == "") != good {
			t.Errorf("%s: %q", to, problem)
		}
	}
	if got := anchorOf("A `b`, c"); got != "a-b-c" {
		t.Error(got)
	}
}
