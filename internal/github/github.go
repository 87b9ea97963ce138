// Package github writes what GitHub's runners read in the output of a job.
//
// It owns the form of workflow commands and their escaping (docs.github.com, "Workflow commands for GitHub Actions"; actions/toolkit,
// packages/core/src/command.ts). It must not know what is reported, nor whether GitHub runs this.
package github

import (
	"strconv"
	"strings"
)

// Annotation is a message that GitHub shows at a line of a file, or with the job when it has no file.
type Annotation struct {
	Kind      string // "error", "warning" or "notice"
	File      string // slash path below the checkout; empty for none
	Line, Col int    // from 1; 0 for none
	Title     string // one line; empty for none
	Text      string // may be several lines
}

// String is the workflow command, without a line end.
func (a Annotation) String() string {
	var properties []string
	for _, p := range [][2]string{{"file", a.File}, {"line", number(a.Line)}, {"col", number(a.Col)}, {"title", a.Title}} {
		if p[1] != "" {
			properties = append(properties, p[0]+"="+escapeProperty(p[1]))
		}
	}
	return strings.TrimSpace("::"+a.Kind+" "+strings.Join(properties, ",")) + "::" + escape(a.Text)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func escape(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// escapeProperty escapes what ends a property besides.
func escapeProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escape(text))
}
