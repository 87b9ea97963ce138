package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"unicode"
)

// An anchor that fits is no proof that what is put there still means what it meant: a function that it calls may have another name or other
// arguments by now. The context of an edit is what it relies on, and without it the edit is a conflict. It is looked at only where the edit would be
// applied, and before that: what is there already has been compiled by somebody.

// inContext is the outcome of an edit that can be applied, or a conflict where a function around it lacks some of its context.
func (e *Edit) inContext(text string, out outcome) outcome {
	if len(e.Context) == 0 {
		return out
	}
	for _, m := range e.anchor.FindAllStringIndex(text, -1) {
		start, end := functionAround(text, m[0])
		around := text[start:end]
		for _, wanted := range e.Context {
			if strings.Contains(around, wanted) {
				continue
			}
			where := "the file"
			if start > 0 || end < len(text) {
				where = fmt.Sprintf("the function around it (line %d)", lineOf(text, start))
			}
			near := nearestLines(around, wanted)
			for i := range near {
				near[i].Line += lineOf(text, start) - 1
			}
			return outcome{status: Conflict, line: lineOf(text, m[0]), near: near, detail: fmt.Sprintf("%s lacks %s, which the edit relies on (context)", where, quote(wanted))}
		}
	}
	return out
}

// functionAround is the range of the lines of the function that contains pos, from the line with its head to its closing brace; all of the text where there
// is none. It goes by indentation, which rustfmt keeps: the head is the last line before with "fn " that is indented less, the end the next
// one that is indented as the head is and begins with a brace. Attributes and comments above the head are not part of it.
func functionAround(text string, pos int) (start, end int) {
	limit := indentAt(text, lineStart(text, pos))
	for at := lineStart(text, pos); ; {
		line := lineAt(text, at)
		if depth := indentAt(text, at); isHead(line) && (depth < limit || at == lineStart(text, pos)) {
			return at, functionEnd(text, at, depth)
		} else if depth < limit && opensBlock(line) {
			limit = depth
		}
		if at == 0 {
			return 0, len(text)
		}
		at = lineStart(text, at-1)
	}
}

// functionEnd is behind the closing brace of the function whose head is at start, or the end of the text.
func functionEnd(text string, start, depth int) int {
	for at := lineEnd(text, start+1); at < len(text); at = lineEnd(text, at+1) {
		line := lineAt(text, at)
		if indentAt(text, at) == depth && strings.HasPrefix(strings.TrimSpace(line), "}") {
			return lineEnd(text, at+1)
		}
	}
	return len(text)
}

// opensBlock tells whether a line opens a block and is not the end of a head of several lines. Others that are indented less are the inside of a text.
func opensBlock(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasSuffix(line, "{") && line != "{" && !strings.HasPrefix(line, ")")
}

// head is the head of a function: "fn NAME" with nothing but qualifiers before it.
var head = regexp.MustCompile(`^\s*(?:(?:pub(?:\([^)]*\))?|default|const|async|unsafe|safe|extern(?: "[^"]*")?)\s+)*fn\s+\w`)

func isHead(line string) bool { return head.MatchString(line) }

func indentAt(text string, at int) int {
	line := lineAt(text, at)
	return len(line) - len(strings.TrimLeft(line, " \t"))
}

// lacksContext is the first condition of the patch's context that does not hold, or nil.
func (p *Patch) lacksContext(tree Reader) (*Condition, error) {
	for i := range p.Context {
		found, err := p.Context[i].holds(tree)
		if err != nil {
			return nil, err
		}
		if !found {
			return &p.Context[i], nil
		}
	}
	return nil, nil
}

// outOfContext makes the result the conflict of a patch that relies on something that is not there.
func (r *Result) outOfContext(lacks *Condition, tree Reader) {
	if lacks == nil {
		return
	}
	r.Status, r.Detail = Conflict, fmt.Sprintf("%s does not match %s, which the patch relies on (context)", lacks.File, quote(strings.TrimPrefix(lacks.Pattern.String(), "(?m)")))
	f, err := readRegular(tree, lacks.File)
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return
	}
	for _, c := range nearestLines(string(f.Data), literal(lacks.Pattern.String())) {
		c.File = lacks.File
		r.Candidates = append(r.Candidates, c)
	}
}

// literal is roughly the text that a pattern is about: it is for comparing, not for matching.
func literal(pattern string) string {
	return strings.NewReplacer("(?m)", "", `\(`, "(", `\)`, ")", `\.`, ".", `\{`, "{", `\}`, "}", `\[`, "[", `\]`, "]", `\b`, "", `\s*`, " ", `\s+`, " ").Replace(pattern)
}

// difference says what a text has in place of parts of another. Words stay whole. It is empty where everything is the same or too little is for the
// rest to tell anything.
func difference(wanted, found string) string {
	w, f := words(wanted), words(found)
	kept := common(w, f)
	if wanted == found || 2*len(kept) < len(w) {
		return ""
	}
	var all []string
	atW, atF := 0, 0
	for _, k := range append(kept, [2]int{len(w), len(f)}) {
		// What is wanted is a part of a line mostly: what stands before and behind it is no difference.
		outside := atW == k[0] && (atW == 0 || atW > len(w)-1)
		if change := changed(strings.Join(w[atW:k[0]], ""), strings.Join(f[atF:k[1]], "")); change != "" && !outside {
			all = append(all, change)
		}
		atW, atF = k[0]+1, k[1]+1
	}
	return strings.Join(all[:min(len(all), maxCandidates)], ", ")
}

func changed(less, more string) string {
	switch {
	case strings.TrimSpace(less+more) == "":
		return ""
	case strings.TrimSpace(less) == "":
		return "there is " + quote(more) + " besides"
	case strings.TrimSpace(more) == "":
		return "there is no " + quote(less)
	}
	return "in place of " + quote(less) + " there is " + quote(more)
}

// common are the positions in both lists of their longest common subsequence.
func common(a, b []string) [][2]int {
	long := make([][]int, len(a)+1)
	long[len(a)] = make([]int, len(b)+1)
	for i := len(a) - 1; i >= 0; i-- {
		long[i] = make([]int, len(b)+1)
		for j := len(b) - 1; j >= 0; j-- {
			if long[i][j] = max(long[i+1][j], long[i][j+1]); a[i] == b[j] {
				long[i][j] = long[i+1][j+1] + 1
			}
		}
	}
	var both [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			both = append(both, [2]int{i, j})
			i, j = i+1, j+1
		case long[i+1][j] >= long[i][j+1]:
			i++
		default:
			j++
		}
	}
	return both
}

// words are the text in pieces: names and numbers, and every other character alone. What is too long to be compared is cut.
func words(text string) []string {
	text = text[:min(len(text), maxCompared)]
	var all []string
	inWord := false
	for _, r := range text {
		letter := r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
		if letter && inWord {
			all[len(all)-1] += string(r)
		} else {
			all = append(all, string(r))
		}
		inWord = letter
	}
	return all
}
