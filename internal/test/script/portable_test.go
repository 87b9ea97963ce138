package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// gnuOnly are ways to call a tool that the tools of macOS do not know, with what both know.
var gnuOnly = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\bsed (-[nE]+ )*(-i|--in-place)\b`), "perl -pi -e (the sed of macOS takes the next word for a suffix)"},
	{regexp.MustCompile(`\b(sha256|sha1|md5)sum\b`), "shasum -a 256"},
	{regexp.MustCompile(`\breadlink (-f|-e|-m)\b|\brealpath -`), "cd DIR && pwd -P"},
	{regexp.MustCompile(`\bcp .*--reflink|\bcp -a\b`), "cp -pR"},
	{regexp.MustCompile(`\bstat (-c|--format)\b`), "ls -l"},
	{regexp.MustCompile(`\bdate (-d|--date)\b|\bdate \+\S*%N`), "date +%s"},
	{regexp.MustCompile(`\bgrep (-\w*P|--perl-regexp)\b`), "grep -E"},
	{regexp.MustCompile(`\bfind .*-printf\b`), "find ... -exec"},
	{regexp.MustCompile(`\bxargs (-\w*r|--no-run-if-empty)\b`), "xargs alone, which runs nothing for nothing on macOS"},
	{regexp.MustCompile(`(^|[|;&(] *)(tac|nproc|md5sum|timeout) `), "something that both have"},
	{regexp.MustCompile(`\b(head|tail) -[cn] ?-\d`), "sed '$d'"},
}

// TestScriptsNeedNoGNUTools: what a person types here, from a page or by a script, works with the tools of macOS. Notes are what was
// typed on one day and are left as they are; the workflows and .ci/run name the system they are for.
func TestScriptsNeedNoGNUTools(t *testing.T) {
	out, err := exec.Command("git", "-C", root, "ls-files", "--", "*.sh", "*.tmpl", "*.md", "*.txtar", "completion/*", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, name := range strings.Fields(string(out)) {
		if strings.HasPrefix(name, "notes/") || name == "docs/coming-from.md" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		read++
		for i, line := range strings.Split(string(text), "\n") {
			for _, g := range gnuOnly {
				if found := g.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q is of GNU alone: %s", name, i+1, found, g.instead)
				}
			}
		}
	}
	if read < 100 {
		t.Errorf("only %d files were looked at", read)
	}
}
