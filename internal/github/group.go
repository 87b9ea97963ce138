package github

import (
	"crypto/rand"
	"strings"
)

// Group folds lines of somebody else's output under a title. What in them looks like a workflow command is not obeyed: a compiler may
// print any text of a source. It ends in a line end.
//
// Source: docs.github.com, "Workflow commands for GitHub Actions", on ::group:: and ::stop-commands::.
func Group(title string, lines []string) string {
	var b strings.Builder
	b.WriteString("::group::" + escape(title) + "\n")
	if len(lines) > 0 {
		token := rand.Text()
		b.WriteString("::stop-commands::" + token + "\n")
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
		b.WriteString("::" + token + "::\n")
	}
	b.WriteString("::endgroup::\n")
	return b.String()
}
