package crash

import (
	"fmt"
	"io"
	"strings"

	"github.com/pannous/redox-clif/internal/symbolise"
)

// Stack is a trace in functions.
type Stack struct {
	Line    int     `json:"line"`              // of the log, from 1
	About   string  `json:"about,omitempty"`   // what happened, in the log's words
	Program string  `json:"program,omitempty"` // as the log has it
	Missing string  `json:"missing,omitempty"` // why symbols are not there
	Calls   []Place `json:"calls"`             // the innermost first
}

// Place is where a program was.
type Place struct {
	Address string  `json:"address"` // hexadecimal
	Program string  `json:"program,omitempty"`
	Frames  []Frame `json:"frames,omitempty"` // none where the address is of no function
	// Others are other programs that have code there, where the log does not say which it is.
	Others []string `json:"others,omitempty"`
}

// Frame is a function in a place.
type Frame struct {
	Function string `json:"function"`
	Offset   uint64 `json:"offset,omitempty"` // in bytes
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"` // from 1
	Inlined  bool   `json:"inlined,omitempty"`
}

// Stacks finds the traces of a log and says where they are. rename gives a source file of a recipe the name that a person opens
// it by.
func (p *Programs) Stacks(log io.Reader, rename func(recipe, file string) string) ([]Stack, error) {
	traces, err := symbolise.Traces(log)
	var stacks []Stack
	for _, t := range traces {
		s := Stack{Line: t.Line, About: t.About, Program: t.Program}
		for _, a := range t.Addresses {
			s.Calls = append(s.Calls, p.place(&s, a, rename))
		}
		stacks = append(stacks, s)
	}
	return stacks, err
}

func (p *Programs) place(s *Stack, a symbolise.Address, rename func(recipe, file string) string) Place {
	place := Place{Address: fmt.Sprintf("%#x", a.Value)}
	if named := p.named(s.Program); len(named) == 1 && a.Value < symbolise.KernelAddresses {
		if _, err := p.open(named[0]); err != nil {
			s.Missing = err.Error()
		}
	}
	for _, one := range p.belonging(a.Value, s.Program) {
		opened, err := p.open(one)
		if err != nil {
			s.Missing = err.Error()
			continue
		}
		frames := opened.At(a.Code())
		if len(frames) == 0 {
			continue
		}
		if place.Program != "" {
			place.Others = append(place.Others, one.Name()+": "+frames[len(frames)-1].Function)
			continue
		}
		place.Program = one.Name()
		for _, f := range frames {
			file := f.File
			if file != "" {
				file = rename(one.Recipe, file)
			}
			place.Frames = append(place.Frames, Frame{Function: f.Function, Offset: f.Offset, File: file, Line: f.Line, Inlined: f.Inlined})
		}
	}
	return place
}

// Text writes stacks down for people. name is what the log is called.
func Text(stacks []Stack, name string) string {
	var b strings.Builder
	for i, s := range stacks {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "%s:%d: %s\n", name, s.Line, s.title())
		for n, c := range s.Calls {
			c.write(&b, n)
		}
		if s.Missing != "" {
			fmt.Fprintf(&b, "  symbols are missing: %s\n", s.Missing)
		}
	}
	return b.String()
}

func (s Stack) title() string {
	about := s.About
	if about == "" {
		about = "stack"
	}
	if s.Program != "" {
		about += " (" + s.Program + ")"
	}
	return about
}

func (c Place) write(b *strings.Builder, n int) {
	if len(c.Frames) == 0 {
		fmt.Fprintf(b, "  %2d %s\n", n, c.Address)
		return
	}
	for i, f := range c.Frames {
		mark := fmt.Sprintf("%2d %s", n, c.Program)
		if i > 0 {
			mark = fmt.Sprintf("   %s", c.Program)
		}
		fmt.Fprintf(b, "  %s: %s%s%s\n", mark, f.function(), f.place(), inlined(f.Inlined))
	}
	if len(c.Others) > 0 {
		fmt.Fprintf(b, "       or %s\n", strings.Join(c.Others, ", or "))
	}
}

func (f Frame) function() string {
	if f.Function == "" {
		return "a function without a name"
	}
	if f.Inlined || f.File != "" {
		return f.Function
	}
	return fmt.Sprintf("%s+%#x", f.Function, f.Offset)
}

func (f Frame) place() string {
	switch {
	case f.File == "":
		return ""
	case f.Line == 0:
		return " at " + f.File
	}
	return fmt.Sprintf(" at %s:%d", f.File, f.Line)
}

func inlined(is bool) string {
	if is {
		return " (inlined)"
	}
	return ""
}
