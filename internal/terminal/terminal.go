// Package terminal makes text of others fit to be printed: names of files, descriptions, what tools say.
//
// It owns what may reach a terminal: printable text, tabs, line ends and colours. Everything else a terminal would act on (moving its
// cursor, its title, its clipboard, text that is hidden or reads backwards) is written out as an escape: \x1b, \u202e. It must not know who prints
// what; bytes that are no text, such as a file's content or a guest's console, do not go through it.
//
// The sequences are those of ECMA-48: SGR, the one that is let through, is 8.3.117.
package terminal

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// colour is Select Graphic Rendition with at most longestColour bytes.
var colour = regexp.MustCompile(`^\x1b\[([0-9;:]*)m`)

const longestColour = 32

// Clean is the text as it may be printed.
func Clean(text string) string {
	if isClean(text) {
		return text
	}
	c := cleaner{last: true}
	c.take(text)
	return c.out.String()
}

// Bare is Clean without colours: for what is cut, or set into a line.
func Bare(text string) string {
	if isClean(text) {
		return text
	}
	c := cleaner{last: true, bare: true}
	c.take(text)
	return c.out.String()
}

func isClean(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return !strings.ContainsFunc(text, func(r rune) bool { return !mayStand(r) }) && utf8.ValidString(text)
		}
	}
	return true
}

// mayStand tells of a character whether it is only shown. Those that change the direction of what follows are not.
func mayStand(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return true
	case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029':
		return false
	}
	return !unicode.Is(unicode.Bidi_Control, r)
}

// cleaner writes text down as it may be printed.
type cleaner struct {
	out  strings.Builder
	last bool // nothing follows the text
	bare bool // without colours
}

// take writes text down and returns how much of it was taken: unless it is the last, what may be the beginning of something is left.
func (c *cleaner) take(text string) int {
	for i := 0; i < len(text); {
		if !c.last && isBeginning(text[i:]) {
			return i
		}
		i += c.next(text[i:])
	}
	return len(text)
}

// next writes down what text begins with and returns its length.
func (c *cleaner) next(text string) int {
	if m := colour.FindStringSubmatch(text); m != nil && len(m[0]) <= longestColour && !hides(m[1]) {
		if !c.bare {
			c.out.WriteString(m[0])
		}
		return len(m[0])
	}
	if strings.HasPrefix(text, "\r\n") {
		c.out.WriteString("\r\n")
		return len("\r\n")
	}
	r, size := utf8.DecodeRuneInString(text)
	switch {
	case r == utf8.RuneError && size == 1, r < utf8.RuneSelf && !mayStand(r):
		fmt.Fprintf(&c.out, `\x%02x`, text[0])
	case !mayStand(r):
		fmt.Fprintf(&c.out, `\u%04x`, r)
	default:
		c.out.WriteString(text[:size])
	}
	return size
}

// isBeginning tells whether more bytes may make a colour, a line end or a character of what is here.
func isBeginning(rest string) bool {
	switch {
	case rest[0] == 0x1b && len(rest) < longestColour:
		return rest == "\x1b" || strings.HasPrefix(rest, "\x1b[") && strings.Trim(rest[2:], "0123456789;:") == ""
	case rest == "\r":
		return true
	}
	return len(rest) < utf8.UTFMax && !utf8.FullRuneInString(rest)
}

// hides tells whether the parameters of a colour have 8, conceal, in them. 38, 48 and 58 are followed by a colour's number, which may be 8.
func hides(parameters string) bool {
	fields := strings.Split(parameters, ";")
	for i := 0; i < len(fields); i++ {
		number, _, hasSub := strings.Cut(fields[i], ":")
		number = strings.TrimLeft(number, "0")
		switch {
		case number == "8":
			return true
		case hasSub || number != "38" && number != "48" && number != "58" || i+1 == len(fields):
		case fields[i+1] == "5":
			i += 2
		case fields[i+1] == "2":
			i += 4
		}
	}
	return false
}

// JSON is a document in which every character that Clean would write out is an escape of JSON's. Those below space are that
// already.
func JSON(document string) string {
	if isClean(document) {
		return document
	}
	var b strings.Builder
	for _, r := range document {
		if mayStand(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Writer passes text on as Clean gives it, also when a sequence comes in parts. What could not be written is not forgotten: from then on
// nothing more is written and Flush says why, so that who prints line by line need not ask after each.
type Writer struct {
	to   io.Writer
	rest string // what may be the beginning of something
	err  error  // the first of to
}

// NewWriter returns a Writer to w. It may not be used by several goroutines at once.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	text := w.rest + string(p)
	w.rest = ""
	if isClean(text) {
		return len(p), w.pass(text)
	}
	var c cleaner
	w.rest = text[c.take(text):]
	return len(p), w.pass(c.out.String())
}

// Flush writes what was held back in case more would come. Its error is the first of all that was written.
func (w *Writer) Flush() error {
	rest := w.rest
	w.rest = ""
	return w.pass(Clean(rest))
}

func (w *Writer) pass(text string) error {
	if w.err == nil {
		_, w.err = io.WriteString(w.to, text)
	}
	return w.err
}
