package qemu

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Script says what the serial line must and must not show. Patterns see one
// line at a time, without its end and without terminal escapes.
type Script struct {
	Steps     []Step
	Unordered bool             // steps may match in any order
	Forbidden []*regexp.Regexp // a line that matches ends the run, once the guest has had a moment to say the rest: panic, FAIL
	// LastWords end the run too, once the guest has had a moment to say the rest. A script that is fulfilled in that moment has passed.
	LastWords []LastWords
	// Dumps are lines that are left out of Result.Last: registers and stacks. The log has them.
	Dumps []*regexp.Regexp
	// PowerOff: after the last step the guest must end QEMU itself, with exit
	// status 0. Otherwise the run ends, and QEMU with it, at the last step.
	PowerOff bool
}

// LastWords are a line after which nothing that a script waits for can come. Unlike a forbidden line it is not what is tested.
type LastWords struct {
	Pattern *regexp.Regexp
	Meaning string // for messages: "the kernel ended a program"
	// Final, when set, tells from the pattern's submatches whether this line is one of them: the same words about another program may
	// mean nothing.
	Final func(submatches []string) bool
}

func (l LastWords) match(line string) bool {
	found := l.Pattern.FindStringSubmatch(line)
	return found != nil && (l.Final == nil || l.Final(found))
}

// Step is one thing that must be seen.
type Step struct {
	Name    string // for messages; "" means the pattern
	Pattern *regexp.Regexp
	// Claim, when set, recognises the line this step is about: a line that
	// matches Claim and not Pattern is a wrong answer and ends the run at once.
	Claim *regexp.Regexp
	// Prompt matches before the line has ended, as "login: " needs it. Such a
	// pattern must not be able to match the beginning of another line.
	Prompt bool
	Send   string // typed into the guest when the step has matched
}

func (s Step) name() string {
	if s.Name != "" {
		return s.Name
	}
	return s.Pattern.String()
}

func (s Script) check() error {
	for i, st := range s.Steps {
		if st.Pattern == nil {
			return fmt.Errorf("step %d (%s) has no pattern", i, st.Name)
		}
	}
	if len(s.Steps) == 0 && !s.PowerOff {
		return fmt.Errorf("the script asks for nothing")
	}
	return nil
}

// maxLine bounds a line: a guest that never ends one must not fill memory.
const maxLine = 64 << 10

// lastLines is how many lines a Result shows, linesBefore how many of them lead to one that decides, itself included.
const (
	lastLines   = 20
	linesBefore = 12
)

// escapes are terminal control sequences: colours, cursor movement, titles.
var escapes = regexp.MustCompile("\x1b(\\[[0-9;?=]*[ -/]*[@-~]|\\][^\a\x1b]*(\a|\x1b\\\\)|[()][0-9A-B]|[=>78cDEHM])")

// matcher follows a Script through the serial output.
type matcher struct {
	script Script
	start  time.Time
	steps  []StepResult
	next   int // first step not seen, when ordered
	left   int

	line     []byte
	used     int // bytes of the line a prompt has consumed, after cleaning
	number   int // lines seen, the current one included
	last     []string
	leftOut  int // lines of dumps since the last one in last
	died     *words
	send     func(string)
	failed   Outcome
	failLine string
	failStep string
	failedAt int // the number of that line
}

// words are last words that came.
type words struct {
	line, meaning string
	number        int // of the line, from 1
}

func newMatcher(s Script, send func(string)) *matcher {
	m := &matcher{script: s, start: time.Now(), left: len(s.Steps), send: send}
	for _, step := range s.Steps {
		m.steps = append(m.steps, StepResult{Name: step.name()})
	}
	return m
}

// feed takes serial output and reports whether the script is fulfilled.
func (m *matcher) feed(b []byte) bool {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		if room := maxLine - len(m.line); len(part) > room {
			part, i = part[:room], -1
			m.line = append(m.line, part...)
			b = b[len(part):]
			m.endLine()
			continue
		}
		m.line = append(m.line, part...)
		if i < 0 {
			m.prompts()
			break
		}
		b = b[i+1:]
		m.endLine()
	}
	return m.failed == "" && m.passed(false)
}

// finish treats what is left as a line, when no more will come.
func (m *matcher) finish() {
	if len(m.line) > 0 {
		m.endLine()
	}
}

// clean removes what a terminal would not show. A carriage return in the middle
// starts the line over on a terminal; here both parts are kept.
func clean(line []byte) string {
	s := escapes.ReplaceAllString(string(line), "")
	return strings.Trim(strings.ToValidUTF8(s, "\uFFFD"), "\r")
}

func (m *matcher) endLine() {
	m.number++
	text := clean(m.line)
	m.line = m.line[:0]
	m.remember(text)
	if m.failed != "" {
		return
	}
	for _, f := range m.script.Forbidden {
		if f.MatchString(text) {
			m.fail(Forbidden, text, f.String())
			return
		}
	}
	m.listen(text)
	rest := text[min(m.used, len(text)):]
	m.used = 0
	if !m.wrongAnswer(text) {
		m.match(rest, false)
	}
}

// listen notes the first last words.
func (m *matcher) listen(text string) {
	for _, l := range m.script.LastWords {
		if m.died == nil && l.match(text) {
			m.died = &words{text, l.Meaning, m.number}
			m.turn()
		}
	}
}

// turn leaves room in the last lines for what follows one that decides.
func (m *matcher) turn() { m.last = m.last[max(0, len(m.last)-linesBefore):] }

// ending tells that nothing is waited for any more but what the guest says at once of its end: who has said everything may take its time to power off.
func (m *matcher) ending() bool { return m.failed != "" || m.died != nil && m.left > 0 }

// passed tells whether the script is fulfilled; ended says that the guest has ended by itself.
func (m *matcher) passed(ended bool) bool { return m.left == 0 && (ended || !m.script.PowerOff) }

// wrongAnswer looks at all steps to come, not only the next: a wrong value is
// wrong whatever else is missing.
func (m *matcher) wrongAnswer(text string) bool {
	for i, s := range m.script.Steps {
		if !m.steps[i].Seen && s.Claim != nil && s.Claim.MatchString(text) && !s.Pattern.MatchString(text) {
			m.fail(WrongAnswer, text, s.name())
			return true
		}
	}
	return false
}

// prompts matches the line so far.
func (m *matcher) prompts() {
	if m.failed != "" {
		return
	}
	text := clean(m.line)
	m.used += m.match(text[min(m.used, len(text)):], true)
}

// match advances over text and returns how many bytes of it were consumed.
func (m *matcher) match(text string, unfinished bool) int {
	used := 0
	for i := m.next; i < len(m.script.Steps); i++ {
		s := m.script.Steps[i]
		if m.steps[i].Seen {
			continue
		}
		loc := []int(nil)
		if !unfinished || s.Prompt {
			loc = s.Pattern.FindStringIndex(text[used:])
		}
		if loc != nil {
			m.complete(i)
			if !m.script.Unordered {
				used += loc[1]
			}
			continue
		}
		if !m.script.Unordered {
			break
		}
	}
	return used
}

func (m *matcher) complete(i int) {
	m.steps[i].Seen, m.steps[i].AtMillis = true, time.Since(m.start).Milliseconds()
	m.left--
	if !m.script.Unordered {
		m.next = i + 1
	}
	if s := m.script.Steps[i].Send; s != "" {
		m.send(s)
	}
}

func (m *matcher) fail(o Outcome, line, step string) {
	m.failed, m.failLine, m.failStep, m.failedAt = o, line, step, m.number
	m.turn()
}

// remember keeps the last lines, and of what follows one that decides the first: who goes on printing must not push them out.
func (m *matcher) remember(text string) {
	for _, d := range m.script.Dumps {
		if d.MatchString(text) {
			m.leftOut++
			return
		}
	}
	if m.leftOut > 0 {
		m.keep(fmt.Sprintf("(%d lines of registers and stack)", m.leftOut))
		m.leftOut = 0
	}
	m.keep(text)
}

func (m *matcher) keep(text string) {
	if len(m.last) == lastLines {
		if m.died != nil || m.failed != "" {
			return
		}
		m.last = append(m.last[:0], m.last[1:]...)
	}
	m.last = append(m.last, text)
}
