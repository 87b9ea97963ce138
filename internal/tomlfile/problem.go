package tomlfile

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is one thing wrong at one place of a TOML file.
type Problem struct {
	Path    string // as given to Decode
	Line    int    // counted from 1; 0 when the problem has no place
	Column  int    // counted from 1, in characters
	Message string
	Source  string // the line itself, without its line end
	Width   int    // characters to underline, at least 1
}

// Error is "file:line:column: message" and below it the source line with a
// caret under the place; of a long line what is around the place.
func (p *Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.Path, p.Message)
	}
	shown, before, width := p.excerpt()
	return fmt.Sprintf("%s:%d:%d: %s\n    %s\n    %s%s",
		p.Path, p.Line, p.Column, p.Message, shown, blank(before), strings.Repeat("^", width))
}

// Of a line longer than longestLine characters an error shows some before the place and some after it.
const (
	longestLine = 160
	shownBefore = 60
	shownAfter  = 80
)

// excerpt is what is shown of the line, what of that is before the place, and how much is underlined.
func (p *Problem) excerpt() (shown, before string, width int) {
	line := []rune(p.Source)
	at := min(max(p.Column-1, 0), len(line))
	if len(line) <= longestLine {
		return p.Source, string(line[:at]), p.Width
	}
	from, to := max(at-shownBefore, 0), min(at+shownAfter, len(line))
	before, shown = string(line[from:at]), string(line[from:to])
	if from > 0 {
		before, shown = "…"+before, "…"+shown
	}
	if to < len(line) {
		shown += "…"
	}
	return shown, before, min(p.Width, max(to-at, 1))
}

// blank is as wide as a text; tabs stay tabs, so that the caret stands under
// its place whatever a tab is worth.
func blank(text string) string {
	return strings.Map(func(char rune) rune {
		if char == '\t' {
			return char
		}
		return ' '
	}, text)
}

// span is a byte range of the document.
type span struct{ start, end int }

func spanOfNode(node *unstable.Node) span {
	return span{int(node.Raw.Offset), int(node.Raw.Offset + node.Raw.Length)}
}

// spanOf is the place of a subslice of the document as the parser hands out.
func (d *document) spanOf(part []byte) span {
	start := cap(d.data) - cap(part)
	if start < 0 || start+len(part) > len(d.data) {
		return span{}
	}
	return span{start, start + len(part)}
}

// offset is the byte offset of a line and a column in bytes, both from 1.
func (d *document) offset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := bytes.IndexByte(d.data[at:], '\n')
		if next < 0 {
			return len(d.data)
		}
		at += next + 1
	}
	return min(at+max(column-1, 0), len(d.data))
}

// problem describes the place at.
func (d *document) problem(at span, format string, args ...any) *Problem {
	start := min(max(at.start, 0), len(d.data))
	lineStart := bytes.LastIndexByte(d.data[:start], '\n') + 1
	lineEnd := len(d.data)
	if next := bytes.IndexByte(d.data[start:], '\n'); next >= 0 {
		lineEnd = start + next
	}
	end := min(max(at.end, start), lineEnd)
	return &Problem{
		Path:    d.path,
		Line:    bytes.Count(d.data[:start], []byte("\n")) + 1,
		Column:  utf8.RuneCount(d.data[lineStart:start]) + 1,
		Message: fmt.Sprintf(format, args...),
		Source:  strings.TrimSuffix(string(d.data[lineStart:lineEnd]), "\r"),
		Width:   max(utf8.RuneCount(d.data[start:end]), 1),
	}
}
