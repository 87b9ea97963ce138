package execroot

import (
	"bytes"
	"strings"

	"github.com/pannous/redox-clif/internal/diagnostic"
	"github.com/pannous/redox-clif/internal/terminal"
)

// longestLine bounds what is kept of output that never ends its line.
const longestLine = 64 << 10

// watcher looks at output as it goes by: the newest line for the status, the errors
// for the failure.
type watcher struct {
	status func(string)
	rest   []byte
	errors diagnostic.Reader
	first  string   // line of an error
	at     string   // "src/main.rs:3:9", where rustc says the first error is
	lines  int      // since the first error
	causes []string // of the first error, as cargo lists them
	cause  bool     // the next line is one
}

// Write implements io.Writer.
func (w *watcher) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			break
		}
		w.line(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
	if len(w.rest) > longestLine {
		w.end()
	}
	return len(p), nil
}

// end takes what is left as a line.
func (w *watcher) end() {
	w.line(string(w.rest))
	w.rest = nil
}

// Close implements io.Closer.
func (w *watcher) Close() error {
	w.end()
	return nil
}

// line takes a line. Its blanks and colours stay for those who show it: carets stand below what they point at.
func (w *watcher) line(line string) {
	line = strings.TrimRight(line, " \t\r")
	w.errors.Line(line)
	if w.status != nil {
		w.status(line)
	}
	if line = strings.TrimSpace(terminal.WithoutColours(line)); line != "" {
		w.look(line)
	}
}

// look has the first error of what is said.
func (w *watcher) look(line string) {
	if w.first != "" {
		w.lines++
		// rustc's second line names the place, or its third when a note is between.
		if place, ok := strings.CutPrefix(line, "--> "); ok && w.at == "" && w.lines <= 2 {
			w.at = place
		}
		w.takeCause(line)
	} else if isError(line) {
		w.first = line
	}
}

// takeCause collects the causes that cargo prints below an error, each below a line of its own.
func (w *watcher) takeCause(line string) {
	switch {
	case line == causeLine && (w.lines == 1 || len(w.causes) > 0):
		w.cause = true
	case w.cause:
		w.causes, w.cause = append(w.causes, line), false
	}
}

const causeLine = "Caused by:"

// message is the first error with its place, or with the last of its causes.
func (w *watcher) message() string {
	if w.at != "" {
		return w.at + ": " + w.first
	}
	return strings.Join(append([]string{w.first}, w.causes[max(len(w.causes)-2, 0):]...), ": ")
}

// isError knows the first words of rustc, cargo, lld and the LLVM tools.
func isError(line string) bool {
	return strings.HasPrefix(line, "error") || strings.HasPrefix(line, "rust-lld: error") ||
		strings.HasPrefix(line, "ld.lld: error") || strings.HasPrefix(line, "fatal error") ||
		strings.Contains(line, "internal compiler error") || strings.HasPrefix(line, "llvm-") && strings.Contains(line, "error:")
}
