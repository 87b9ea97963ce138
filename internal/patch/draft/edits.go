package draft

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/pannous/redox-clif/internal/patch"
)

// run is consecutive lines that change, all of them with their line ends: those before line at (from 0) stay.
type run struct {
	at        int
	old, with []string
}

// editsOf are the edits that lead from one text to another, in order: each is for the text as those before it leave it.
func editsOf(name, before, after string, careful bool) ([]patch.DocumentEdit, error) {
	before, after = unixLines(before), unixLines(after)
	runs, err := runsOf(before, after)
	if err != nil {
		return nil, err
	}
	var all []patch.DocumentEdit
	lines := splitLines(before)
	shift := 0
	for _, r := range runs {
		r.at += shift
		p := place{lines: lines, run: r, careful: careful}
		e, ok := p.edit()
		if !ok {
			return nil, &InexpressibleError{name, "what changes has nothing around it that occurs once"}
		}
		e.File = name
		all = append(all, e)
		lines = p.result()
		shift += len(r.with) - len(r.old)
	}
	return all, nil
}

func unixLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// splitLines are the lines of a text with their line ends.
func splitLines(s string) []string { return slices.Collect(strings.Lines(s)) }

// runsOf compares two texts.
func runsOf(before, after string) ([]run, error) {
	text := diff.Diff("a/file", []byte(before), "b/file", []byte(after))
	if text == nil {
		return nil, nil
	}
	_, text, _ = bytes.Cut(text, []byte("\n")) // "diff a/file b/file", which no tool but Go's writes
	files, _, err := gitdiff.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var all []run
	for _, hunk := range files[0].TextFragments {
		all = append(all, runsOfHunk(hunk)...)
	}
	return all, nil
}

func runsOfHunk(hunk *gitdiff.TextFragment) []run {
	var all []run
	at, open := int(hunk.OldPosition)-1, false
	if hunk.OldLines == 0 {
		at++ // such a hunk names the line before it
	}
	for _, l := range hunk.Lines {
		if l.Op == gitdiff.OpContext {
			at, open = at+1, false
			continue
		}
		if !open {
			all, open = append(all, run{at: at}), true
		}
		last := &all[len(all)-1]
		if l.Op == gitdiff.OpDelete {
			last.old, at = append(last.old, l.Line), at+1
		} else {
			last.with = append(last.with, l.Line)
		}
	}
	return all
}

// place is where an edit of a text goes.
type place struct {
	lines   []string
	run     run
	careful bool
}

func (p place) text() string { return strings.Join(p.lines, "") }

// result are the lines with the run made.
func (p place) result() []string {
	return slices.Concat(p.lines[:p.run.at], p.run.with, p.lines[p.run.at+len(p.run.old):])
}

// edit finds the edit that makes the run.
func (p place) edit() (patch.DocumentEdit, bool) {
	find := p.insertion
	if len(p.run.old) > 0 {
		find = p.replacement
	}
	e, ok := find()
	if ok && (p.careful || *e.Text == "") {
		if e.Satisfied = p.satisfied(); e.Satisfied == "" {
			return e, false
		}
	}
	return e, ok
}

// reach is how many lines around a change an anchor may have.
const reach = 6

// insertion is an edit for lines that come without others going.
func (p place) insertion() (patch.DocumentEdit, bool) {
	text := strings.Join(p.run.with, "")
	after := strings.Join(p.lines[p.run.at:], "")
	before := strings.Join(p.lines[:p.run.at], "")
	for n := 1; n <= reach; n++ {
		if anchor, ok := p.anchor(p.run.at-n, p.run.at); ok && !strings.HasPrefix(after, text) {
			return patch.DocumentEdit{Anchor: anchor, Where: patch.After, Text: &text}, true
		}
		if anchor, ok := p.anchor(p.run.at, p.run.at+n); ok && !strings.HasSuffix(before, text) {
			return patch.DocumentEdit{Anchor: anchor, Where: patch.Before, Text: &text}, true
		}
	}
	return p.replacement() // of lines around by the same with others between them
}

// anchor is the text of some lines, without the blanks around it, if it occurs once before and after.
func (p place) anchor(from, to int) (string, bool) {
	if from < 0 || to > len(p.lines) {
		return "", false
	}
	anchor := strings.TrimSpace(strings.Join(p.lines[from:to], ""))
	if !strings.ContainsFunc(anchor, isWordRune) || strings.Count(p.text(), anchor) != 1 {
		return "", false
	}
	return anchor, strings.Count(strings.Join(p.result(), ""), anchor) == 1
}

func isWordRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// replacement is an edit for lines that go, whether others come or not. The region that is replaced ends with a whole line, and begins
// behind the blanks of its first; where the first line is none to find it by, those before it are taken along.
func (p place) replacement() (patch.DocumentEdit, bool) {
	end := p.run.at + len(p.run.old)
	for more := 0; more <= 2*reach; more++ {
		from, to := p.run.at-(more+1)/2, end+more/2
		if from < 0 || to > len(p.lines) || from == to {
			continue
		}
		if e, ok := p.replace(from, to); ok {
			return e, true
		}
	}
	return patch.DocumentEdit{}, false
}

// replace is an edit that replaces the lines from one to another.
func (p place) replace(from, to int) (patch.DocumentEdit, bool) {
	old := p.lines[from:to]
	with := slices.Concat(p.lines[from:p.run.at], p.run.with, p.lines[p.run.at+len(p.run.old):to])
	if len(with) == 0 && to < len(p.lines) { // the line behind it ends what goes, and stays
		old, with = p.lines[from:to+1], p.lines[to:to+1]
	}
	indent := ""
	if len(with) > 0 && blanks(old[0]) == blanks(with[0]) {
		indent = blanks(old[0])
	}
	text := strings.TrimSuffix(strings.TrimPrefix(strings.Join(with, ""), indent), "\n")
	whole := strings.TrimSuffix(strings.TrimPrefix(strings.Join(old, ""), indent), "\n")
	e := patch.DocumentEdit{Where: patch.Replace, Text: &text}
	if len(old) == 1 {
		e.Anchor = whole
		return e, p.finds(e, whole)
	}
	e.Anchor = strings.TrimRight(strings.TrimPrefix(old[0], indent), "\n")
	e.Until = strings.TrimSpace(old[len(old)-1])
	if !strings.HasSuffix(whole, e.Until) {
		e.Until = strings.TrimSuffix(old[len(old)-1], "\n")
	}
	return e, p.finds(e, whole)
}

func blanks(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// finds tells whether an edit replaces this text and nothing else. Its own text must not have the anchor where the anchor is found first.
func (p place) finds(e patch.DocumentEdit, whole string) bool {
	text := p.text()
	if strings.TrimSpace(e.Anchor) == "" || strings.Count(text, e.Anchor) != 1 {
		return false
	}
	if strings.Contains(*e.Text, e.Anchor) && strings.Contains(text, *e.Text) { // it would be taken for done
		return false
	}
	at := strings.Index(text, e.Anchor)
	if !strings.HasPrefix(text[at:], whole) {
		return false
	}
	if e.Until == "" {
		return e.Anchor == whole
	}
	until := strings.Index(text[at+len(e.Anchor):], e.Until)
	return until >= 0 && len(e.Anchor)+until+len(e.Until) == len(whole)
}

// satisfied is a pattern that the result has and the text before has not: the new lines with as many around them as it takes.
func (p place) satisfied() string {
	before, result := p.text(), p.result()
	after := strings.Join(result, "")
	for n := 0; n <= reach; n++ {
		from, to := max(p.run.at-n, 0), min(p.run.at+len(p.run.with)+n, len(result))
		part := strings.TrimSpace(strings.Join(result[from:to], ""))
		if part != "" && !strings.Contains(before, part) && strings.Contains(after, part) {
			return regexp.QuoteMeta(part)
		}
	}
	return ""
}
