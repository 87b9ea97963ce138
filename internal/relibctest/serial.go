package relibctest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Result is how a program ended and what it printed.
type Result struct {
	// Ended is "exit N", "signal N", "limit" (it was killed when its time was over), "failed REASON" (it could not be
	// started or waited for), or EndedGuest.
	Ended          string
	Stdout, Stderr string
	Took           time.Duration
}

// EndedGuest is how a test ended after which nothing more came from the guest.
const EndedGuest = "ended the guest"

// Run is what came of one plan.
type Run struct {
	// Results by place in the plan, from 1. What was torn apart on the serial line is in Torn instead.
	Results map[int]Result
	Torn    map[int]error
	// Open is the test that had begun and not ended when the output ended, 0 when there was none.
	Open int
	Done bool
}

const (
	marker   = "relibc-test "
	lastLine = "all done"
)

// LastLine is a regular expression for the line after the last test.
const LastLine = `\b` + marker + lastLine + `$`

// Parse reads the serial output of a boot. Others write to the line as well: what is not the runner's is passed over.
func Parse(serial string) *Run {
	p := &parser{run: &Run{Results: map[int]Result{}, Torn: map[int]error{}}}
	for line := range strings.Lines(serial) {
		_, text, ok := strings.Cut(strings.TrimRight(line, "\r\n"), marker)
		if !ok {
			continue
		}
		if text == lastLine {
			p.run.Done = true
			continue
		}
		p.line(text)
	}
	p.run.Open = p.number
	return p.run
}

type parser struct {
	run    *Run
	number int // of the test that runs, 0 between tests
	result Result
	err    error
}

func (p *parser) line(text string) {
	first, rest, _ := strings.Cut(text, " ")
	number, err := strconv.Atoi(first)
	if err != nil {
		p.fail(fmt.Errorf("%q has no number", text))
		return
	}
	word, rest, _ := strings.Cut(rest, " ")
	if word == "begin" {
		p.close("") // an end that was torn apart
		p.number, p.result, p.err = number, Result{}, nil
		return
	}
	if number != p.number {
		p.fail(fmt.Errorf("%q is about another test", text))
		return
	}
	switch word {
	case "out":
		p.piece(&p.result.Stdout, rest)
	case "err":
		p.piece(&p.result.Stderr, rest)
	case "took":
		ms, err := strconv.Atoi(rest)
		if err != nil {
			p.fail(fmt.Errorf("%q is no number of milliseconds", rest))
		}
		p.result.Took = time.Duration(ms) * time.Millisecond
	case "end":
		p.close(rest)
	default:
		p.fail(fmt.Errorf("%q is no line of the runner", text))
	}
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// close ends the test that runs; without how it ended its last line was lost.
func (p *parser) close(ended string) {
	if p.number == 0 {
		return
	}
	if ended == "" {
		p.fail(fmt.Errorf("there is no line that says how it ended"))
	}
	if p.err != nil {
		p.run.Torn[p.number] = p.err
	} else {
		p.result.Ended = ended
		p.run.Results[p.number] = p.result
	}
	p.number = 0
}

// piece is `BYTES TEXT`. The length finds a line that somebody else wrote into.
func (p *parser) piece(to *string, text string) {
	size, escaped, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(size)
	if err != nil {
		p.fail(fmt.Errorf("%q has no length", text))
		return
	}
	if n == 0 { // a remark of the runner, not the program's
		*to += "\n" + escaped
		return
	}
	plain, err := unescape(escaped)
	if err == nil && len(plain) != n {
		err = fmt.Errorf("%q is %d bytes and not %d", escaped, len(plain), n)
	}
	if err != nil {
		p.fail(err)
		return
	}
	*to += plain
}

// unescape reads the form of Rust's <[u8]>::escape_ascii.
func unescape(text string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", fmt.Errorf("%q ends inside an escape", text)
		}
		switch c := text[i]; c {
		case 'n':
			out.WriteByte('\n')
		case 't':
			out.WriteByte('\t')
		case 'r':
			out.WriteByte('\r')
		case '\\', '\'', '"':
			out.WriteByte(c)
		case 'x':
			if i+2 >= len(text) {
				return "", fmt.Errorf("%q ends inside an escape", text)
			}
			b, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("%q: %w", text, err)
			}
			out.WriteByte(byte(b))
			i += 2
		default:
			return "", fmt.Errorf("%q: \\%c is no escape", text, c)
		}
	}
	return out.String(), nil
}
