// Package diagnostic reads the errors out of what compilers and linkers say.
//
// It owns where an error of rustc, cargo, clang or lld begins and ends, which file, line and column it is about, and how the paths in it are
// given other names. It must not know which tool ran for what, where sources come from, nor how an error is shown.
//
// The forms are those of rustc's human-readable emitter (compiler/rustc_errors/src/annotate_snippet_emitter_writer.rs), of cargo
// (src/cargo/core/shell.rs), of clang's text diagnostics and of lld (lld/Common/ErrorHandler.cpp).
package diagnostic

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/ianlancetaylor/demangle"

	"github.com/pannous/redox-clif/internal/terminal"
)

// Message is one error as the tool wrote it.
type Message struct {
	// Text is all of its lines with their blanks and colours, symbols demangled, without a line end.
	Text string
	// Place is what it is about; zero where the tool names no file.
	Place Place
}

// Place is a position in a file.
type Place struct {
	File      string // as the tool names it
	Line, Col int    // from 1; 0 where the tool does not say
}

// Title is the first line without colours: "error[E0308]: mismatched types".
func (m Message) Title() string {
	line, _, _ := strings.Cut(m.Text, "\n")
	return terminal.WithoutColours(line)
}

// Bounds of what is kept of a tool that says the same thing over and over.
const (
	mostMessages = 100
	mostBytes    = 512 << 10
)

// Reader collects the errors of what it is given line by line. The zero Reader is ready.
type Reader struct {
	messages []Message
	summary  []Message // what only counts the errors before
	left     int
	size     int
	block    []string // of the error that is being read
	held     int      // bytes in it
	blank    bool     // the last line was one
	caused   bool     // cargo lists causes, with blank lines between
}

// Line takes a line without its end.
func (r *Reader) Line(line string) {
	bare := terminal.WithoutColours(line)
	switch {
	case begins(bare):
		r.finish()
		r.block = []string{line}
		r.held = len(line)
	case r.block == nil:
	case strings.TrimSpace(bare) == "":
		r.blank = true
	case r.ends(bare):
		r.finish()
	case r.held > mostBytes/2:
	default:
		if r.blank {
			r.block = append(r.block, "")
		}
		r.blank = false
		r.caused = r.caused || bare == "Caused by:"
		r.block = append(r.block, line)
		r.held += len(line)
	}
}

// Messages are the errors read, and how many more there were than are kept. What only says how many others there are is left
// out where there are others.
func (r *Reader) Messages() (all []Message, left int) {
	r.finish()
	if len(r.messages) == 0 {
		return r.summary, r.left
	}
	return r.messages, r.left
}

func (r *Reader) finish() {
	block := r.block
	r.block, r.blank, r.caused = nil, false, false
	if block == nil || !isError(terminal.WithoutColours(block[0])) {
		return
	}
	text := Demangle(strings.Join(block, "\n"))
	m := Message{Text: text, Place: placeOf(text)}
	switch {
	case counts.MatchString(m.Title()):
		r.summary = append(r.summary[:min(len(r.summary), mostMessages-1)], m)
	case len(r.messages) == mostMessages || r.size+len(text) > mostBytes && len(r.messages) > 0:
		r.left++
	default:
		r.messages = append(r.messages, m)
		r.size += len(text)
	}
}

// ends tells of a line that begins no error whether the one that is read goes on with it.
func (r *Reader) ends(bare string) bool {
	if status.MatchString(bare) || strings.HasPrefix(bare, "For more information about this error") || strings.HasPrefix(bare, "Some errors have detailed") {
		return true
	}
	if !r.blank {
		return false
	}
	goesOn := bare == "Caused by:" || strings.HasPrefix(bare, "note:") || strings.HasPrefix(bare, "help:") || r.caused && strings.HasPrefix(bare, " ")
	return !goesOn
}

var (
	// counts are the lines of rustc, cargo and clang about errors that they have told.
	counts = regexp.MustCompile(`^error: (aborting due to |could not compile |.*build failed, waiting)|^\d+ errors? generated`)
	// status is cargo saying what it does next: a verb, right-aligned to twelve columns.
	status = regexp.MustCompile(`^ {0,11}(Compiling|Checking|Building|Finished|Downloading|Downloaded|Updating|Fresh|Dirty|Running|Locking|Adding|Blocking) `)
	// clangError is "src/a.c:3:9: error: …".
	clangError = regexp.MustCompile(`^(?:\x1b\[[0-9;]*m)*([^\s:][^:\n]*):(\d+):(?:(\d+):)? (?:\x1b\[[0-9;]*m)*(?:fatal )?error: `)
	// linkerError is lld, under any of its names.
	linkerError = regexp.MustCompile(`^\S*(ld|lld|ld64\.lld|lld-link): error: `)
	// arrow is rustc's pointer to the place of an error or of a part of it.
	arrow = regexp.MustCompile(`(?m)^([ \x1b\[0-9;m]*(?:-->|:::)(?:\x1b\[[0-9;]*m| )*)([^\n\x1b]+?):(\d+):(\d+)`)
	// symbol is a name as Rust's compilers mangle it, legacy or v0, or as C++'s do.
	symbol = regexp.MustCompile(`\b_{1,2}[ZR][A-Za-z0-9_.$]{3,}`)
)

// begins tells whether a line is the first of a message of any kind.
func begins(bare string) bool {
	return isError(bare) || strings.HasPrefix(bare, "warning:") || strings.HasPrefix(bare, "warning[")
}

func isError(bare string) bool {
	for _, prefix := range []string{"error:", "error[", "fatal error:", "internal compiler error", "thread 'rustc'", "llvm-objcopy: error:", "llvm-nm: error:", "llvm-ar: error:"} {
		if strings.HasPrefix(bare, prefix) {
			return true
		}
	}
	return linkerError.MatchString(bare) || clangError.MatchString(bare)
}

func placeOf(text string) Place {
	m := arrow.FindStringSubmatch(text)
	if m != nil {
		m = m[1:]
	} else if m = clangError.FindStringSubmatch(text); m == nil {
		return Place{}
	}
	p := Place{File: m[1]}
	p.Line, _ = strconv.Atoi(m[2]) // digits; what does not fit is 0, unknown
	p.Col, _ = strconv.Atoi(m[3])
	return p
}

// Rename gives the files that a message points at other names: those that rename returns.
func (m Message) Rename(rename func(file string) string) Message {
	m.Text = renameIn(m.Text, arrow, 2, rename)
	m.Text = renameIn(m.Text, clangError, 1, rename)
	if m.Place.File != "" {
		m.Place.File = rename(m.Place.File)
	}
	return m
}

// renameIn renames what a group of every match of a pattern holds.
func renameIn(text string, pattern *regexp.Regexp, group int, rename func(string) string) string {
	var b strings.Builder
	at := 0
	for _, m := range pattern.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[at:m[2*group]])
		b.WriteString(rename(text[m[2*group]:m[2*group+1]]))
		at = m[2*group+1]
	}
	b.WriteString(text[at:])
	return b.String()
}

// Demangle gives the symbols in a text the names that their source has for them.
func Demangle(text string) string {
	if !strings.Contains(text, "_Z") && !strings.Contains(text, "_R") {
		return text
	}
	return symbol.ReplaceAllStringFunc(text, func(name string) string { return demangle.Filter(name, demangle.NoClones) })
}
