package symbolise

import (
	"bufio"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/terminal"
)

// Trace is a stack or an exception that a log tells of.
type Trace struct {
	Line  int    // of the log, from 1, where it begins
	About string // the line that says what happened: a panic, an exception; "" where there is none
	// Program is the name or path of the program whose addresses those below [KernelAddresses] are, as the log has it; "" where it does not say.
	Program   string
	Addresses []Address
}

// Address is one that a log has.
type Address struct {
	Value uint64
	// Returns says that it is where a call returns to: the call is before it.
	Returns bool
}

// KernelAddresses is where those of the Redox kernel begin, on 64 bits.
const KernelAddresses = 1 << 63

// Code is an address in the instruction that the frame is about.
func (a Address) Code() uint64 {
	if a.Returns && a.Value > 0 {
		return a.Value - 1
	}
	return a.Value
}

const (
	longestLine = 1 << 20
	// most is how many traces are kept, and most addresses of each: a guest may print them over and over.
	most          = 100
	mostAddresses = 256
)

var (
	frameLine   = regexp.MustCompile(`^\s*FP [0-9a-fA-F]{16}: PC ([0-9a-fA-F]{16})$`)
	elrLine     = regexp.MustCompile(`\bELR(?:_EL1)?[:=]\s*(?:0x)?([0-9a-fA-F]{8,16})\b`)
	linkLine    = regexp.MustCompile(`(?:^X30:\s+|\bx30=)(?:0x)?([0-9a-fA-F]{8,16})\b`)
	rustLine    = regexp.MustCompile(`^\s*\d+:\s+0x([0-9a-fA-F]+) - `)
	aboutLine   = regexp.MustCompile(`PANIC: |panicked at |FATAL: |exception at EL1|^Unhandled exception`)
	programLine = regexp.MustCompile(`UNHANDLED EXCEPTION, .*\bNAME ([^,]+)`)
	endLine     = regexp.MustCompile(`^HALT$|^smoke: power off|^stack backtrace:$`)
	// binPlace and cratePlace are where a panic names the program by its source.
	binPlace   = regexp.MustCompile(`panicked at (?:\S*/)?src/bin/([\w-]+)(?:\.rs|/)`)
	cratePlace = regexp.MustCompile(`panicked at (?:\S*/)?([\w-]+)/src/`)
)

// Traces finds the traces of a log.
func Traces(log io.Reader) ([]Trace, error) {
	r := reader{}
	lines := bufio.NewReaderSize(log, longestLine)
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		r.line(number, strings.TrimRight(terminal.WithoutColours(string(line)), "\r\n"))
		if err == bufio.ErrBufferFull {
			number--
			continue
		}
		if err == io.EOF {
			r.finish()
			return r.traces, nil
		}
		if err != nil {
			return r.traces, err
		}
	}
}

type reader struct {
	traces []Trace
	trace  Trace
	idle   int // lines without an address since the last
}

// patience is how many lines of others may stand between those of a trace: programs go on printing.
const patience = 40

func (r *reader) line(number int, line string) {
	if len(r.trace.Addresses) > 0 {
		if m := programLine.FindStringSubmatch(line); m != nil {
			r.trace.Program = m[1]
			r.finish()
			return
		}
	}
	// A line may be both: what happened, with the address.
	isAbout := aboutLine.MatchString(line) && !strings.HasPrefix(line, "called `")
	if isAbout {
		r.begin(number, line)
	}
	found := r.addresses(line)
	switch {
	case len(found) > 0:
		if r.trace.Line == 0 {
			r.trace.Line = number
		}
		if room := mostAddresses - len(r.trace.Addresses); room > 0 {
			r.trace.Addresses = append(r.trace.Addresses, found[:min(room, len(found))]...)
		}
		r.idle = 0
	case endLine.MatchString(line) && len(r.trace.Addresses) > 0:
		r.finish()
	default:
		if r.idle++; r.idle > patience {
			r.finish()
		}
	}
}

// begin is what happened. An exception of a program that panicked is still about the panic, until the program's name ends it.
func (r *reader) begin(number int, line string) {
	if len(r.trace.Addresses) > 0 {
		r.finish()
	}
	if r.trace.Line == 0 || !strings.Contains(line, "FATAL: ") {
		r.trace = Trace{Line: number, About: strings.TrimSpace(line), Program: programOf(line)}
	}
	r.idle = 0
}

// programOf is the program that the place of a panic tells of, "" if it does not.
func programOf(line string) string {
	for _, place := range []*regexp.Regexp{binPlace, cratePlace} {
		if m := place.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}

func (r *reader) addresses(line string) []Address {
	var found []Address
	for _, form := range []struct {
		pattern *regexp.Regexp
		returns bool
	}{{elrLine, false}, {linkLine, true}, {frameLine, true}, {rustLine, true}} {
		m := form.pattern.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if value, err := strconv.ParseUint(m[1], 16, 64); err == nil && value != 0 {
			found = append(found, Address{value, form.returns})
		}
	}
	return found
}

func (r *reader) finish() {
	if len(r.trace.Addresses) > 0 && len(r.traces) < most {
		r.traces = append(r.traces, r.trace)
	}
	r.trace, r.idle = Trace{}, 0
}

// Name is the base name of the trace's program, without what marks a process of the kernel's.
func (t Trace) Name() string { return strings.Trim(path.Base(t.Program), "[]") }
