package patch

import (
	"fmt"
	"sort"
	"strings"
)

// outcome is what one edit does to one file's content.
type outcome struct {
	status Status
	text   string // the new content, with Applied
	line   int
	detail string
	near   []Candidate // File is filled in by the caller
}

// applyTo computes the edit on a file's content.
func (e *Edit) applyTo(content string) outcome {
	text, crlf := strings.ReplaceAll(content, "\r\n", "\n"), isCRLF(content)
	if !crlf {
		text = content
	}
	if e.Satisfied != nil {
		if m := e.Satisfied.FindStringIndex(text); m != nil {
			return outcome{status: Satisfied, line: lineOf(text, m[0]), detail: "its satisfied pattern is found"}
		}
	}
	out := e.applyText(text)
	if out.status == Applied {
		out = e.inContext(text, out)
	}
	if out.status == Applied && crlf {
		out.text = strings.ReplaceAll(out.text, "\n", "\r\n")
	}
	return out
}

// isCRLF: only a file whose every line ends in CRLF can be converted to LF and
// back without changing a line that was not edited.
func isCRLF(s string) bool {
	n := strings.Count(s, "\n")
	return n > 0 && n == strings.Count(s, "\r\n")
}

func (e *Edit) applyText(text string) outcome {
	matches := e.anchor.FindAllStringIndex(text, -1)
	for _, m := range matches {
		if m[0] == m[1] {
			return outcome{status: Conflict, line: lineOf(text, m[0]), detail: fmt.Sprintf("anchor %s matches an empty text", quote(e.Anchor))}
		}
	}
	if e.Where == Replace {
		return e.replace(text, matches)
	}
	return e.insert(text, matches)
}

// change replaces text[at:end] by with.
type change struct {
	at, end int
	with    string
}

func splice(text string, changes []change) string {
	sort.Slice(changes, func(i, j int) bool { return changes[i].at < changes[j].at })
	var b strings.Builder
	pos := 0
	for _, c := range changes {
		b.WriteString(text[pos:c.at])
		b.WriteString(c.with)
		pos = c.end
	}
	b.WriteString(text[pos:])
	return b.String()
}

// insert puts whole lines before or after the lines of every match. A match
// inside a block that is already in its place is the block's own and not a
// place to insert at.
func (e *Edit) insert(text string, matches [][]int) outcome {
	type place struct {
		match []int
		pos   int
		block [2]int // the text, where it already stands
	}
	var places []place
	for _, m := range matches {
		p := place{match: m, pos: lineStart(text, m[0])}
		if e.Where == After {
			p.pos = lineEnd(text, m[1])
		}
		p.block[0], p.block[1] = e.blockAt(text, p.pos)
		places = append(places, p)
	}
	inBlock := func(m []int) bool {
		for _, p := range places {
			if p.block[0] <= m[0] && m[1] <= p.block[1] {
				return true
			}
		}
		return false
	}
	var todo []change
	found, first := 0, 0
	for _, p := range places {
		if inBlock(p.match) {
			continue
		}
		if found++; found == 1 {
			first = lineOf(text, p.match[0])
		}
		if p.block[0] < p.block[1] {
			continue
		}
		if n := len(todo); n > 0 && todo[n-1].at == p.pos {
			continue // two matches on one line: one insertion
		}
		todo = append(todo, change{p.pos, p.pos, e.block(text, p.pos)})
	}
	if found != e.Count {
		return e.miscount(text, found, matches, "")
	}
	if len(todo) == 0 {
		return outcome{status: Satisfied, line: first}
	}
	return outcome{status: Applied, text: splice(text, todo), line: lineOf(text, todo[0].at)}
}

// block is the text as inserted at a line boundary of a file: whole lines, but
// a missing final newline stays missing.
func (e *Edit) block(text string, pos int) string {
	block := strings.TrimSuffix(e.Text, "\n")
	if pos == len(text) && pos > 0 && text[pos-1] != '\n' {
		return "\n" + block
	}
	return block + "\n"
}

// blockAt returns the range of the text if it already stands at a boundary,
// else -1, -1, which contains nothing.
func (e *Edit) blockAt(text string, pos int) (int, int) {
	block := strings.TrimSuffix(e.Text, "\n")
	if e.Where == Before {
		at := pos - len(block) - 1
		if at >= 0 && text[at:pos] == block+"\n" && (at == 0 || text[at-1] == '\n') {
			return at, pos
		}
		return -1, -1
	}
	end := pos + len(block)
	if end > len(text) || text[pos:end] != block || pos == 0 || text[pos-1] != '\n' {
		return -1, -1
	}
	switch {
	case end == len(text):
		return pos, end
	case text[end] == '\n':
		return pos, end + 1
	}
	return -1, -1
}

// replace replaces every region from a match up to and including the first
// `until` behind it. A match inside a copy of the text is what an earlier
// application left.
func (e *Edit) replace(text string, matches [][]int) outcome {
	copies := occurrences(text, e.Text)
	withAnchor := map[int]bool{} // copies that contain the anchor
	var open [][]int
	for _, m := range matches {
		if i := container(copies, m); i >= 0 {
			withAnchor[i] = true
		} else {
			open = append(open, m)
		}
	}
	done := len(copies)
	if len(withAnchor) > 0 {
		done = len(withAnchor)
	}
	switch {
	case len(open) == 0 && done == e.Count:
		return outcome{status: Satisfied, line: lineOf(text, firstDone(copies, withAnchor))}
	case len(open) == e.Count && len(withAnchor) == 0, len(open) > 0 && len(open)+done == e.Count:
		return e.replaceAll(text, open)
	case len(open) == 0 && done > e.Count:
		return e.miscount(text, 0, nil, fmt.Sprintf("; its text occurs %d times, so it cannot be told whether the edit is already there: give it a `satisfied` pattern or the patch a [needed]", done))
	}
	return e.miscount(text, len(open)+len(withAnchor), matches, "")
}

func (e *Edit) replaceAll(text string, open [][]int) outcome {
	var todo []change
	for _, m := range open {
		end := m[1]
		if e.until != nil {
			u := e.until.FindStringIndex(text[m[1]:])
			if u == nil {
				line := lineOf(text, m[0])
				return outcome{status: Conflict, line: line, detail: fmt.Sprintf("until %s is not found after the anchor", quote(e.Until)), near: nearestLines(text, e.Until)}
			}
			end = m[1] + u[1]
		}
		if n := len(todo); n > 0 && m[0] < todo[n-1].end {
			return outcome{status: Conflict, line: lineOf(text, m[0]), detail: "the anchor occurs again before the region's end (until)"}
		}
		todo = append(todo, change{m[0], end, e.Text})
	}
	return outcome{status: Applied, text: splice(text, todo), line: lineOf(text, todo[0].at)}
}

// miscount is the conflict of an anchor that does not occur as often as it must.
func (e *Edit) miscount(text string, found int, matches [][]int, hint string) outcome {
	out := outcome{status: Conflict, detail: fmt.Sprintf("anchor %s occurs %s, expected %s%s", quote(e.Anchor), times(found), times(e.Count), hint)}
	if len(matches) == 0 {
		out.near = nearestLines(text, e.Anchor)
		return out
	}
	for _, m := range matches[:min(len(matches), maxCandidates)] {
		n := lineOf(text, m[0])
		out.near = append(out.near, Candidate{Line: n, Text: clip(lineAt(text, m[0])), Similarity: 1})
	}
	return out
}

func occurrences(text, part string) [][]int {
	if part == "" {
		return nil
	}
	var all [][]int
	for pos := 0; ; {
		i := strings.Index(text[pos:], part)
		if i < 0 {
			return all
		}
		all = append(all, []int{pos + i, pos + i + len(part)})
		pos += i + len(part)
	}
}

func container(spans [][]int, m []int) int {
	for i, s := range spans {
		if s[0] <= m[0] && m[1] <= s[1] {
			return i
		}
	}
	return -1
}

func firstDone(copies [][]int, withAnchor map[int]bool) int {
	for i, c := range copies {
		if len(withAnchor) == 0 || withAnchor[i] {
			return c[0]
		}
	}
	return 0
}

// lineStart is the start of the line that contains pos.
func lineStart(text string, pos int) int { return strings.LastIndexByte(text[:pos], '\n') + 1 }

// lineEnd is the position behind the newline of the line that contains the
// byte before end, or the end of the text.
func lineEnd(text string, end int) int {
	if end > 0 && text[end-1] == '\n' {
		return end
	}
	if i := strings.IndexByte(text[end:], '\n'); i >= 0 {
		return end + i + 1
	}
	return len(text)
}

func lineOf(text string, pos int) int { return strings.Count(text[:pos], "\n") + 1 }

func lineAt(text string, pos int) string {
	line, _, _ := strings.Cut(text[lineStart(text, pos):], "\n")
	return line
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
