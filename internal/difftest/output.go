package difftest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Output is what the programs of one backend printed, by case.
type Output struct {
	Names  []string          // in the order of printing
	Values map[string]string // by name
}

// Run is the output of one boot.
type Run struct {
	Outputs map[string]*Output // by backend
	// Items are the parts of traced cases: backend, then case, in order.
	Items map[string]map[string][]string
}

// The lines of recipes/difftest/init and rt.
const (
	beginLine = "begin bin/"
	exitLine  = "exit "
	caseLine  = "case "
	itemLine  = "item "
)

// Settings tell the first program of a boot which others to run, and which case to print item by item ("" for none). nonce makes
// the boot's last line its own.
func Settings(nonce string, programs []string, trace string) string {
	settings := nonce + ",programs=" + strings.Join(programs, "+")
	if trace != "" {
		settings += ",trace=" + trace
	}
	return settings
}

// LastLine is a regular expression for the line after the last program.
func LastLine(nonce string) string { return "^difftest: done nonce=" + nonce + "$" }

// SortPrograms puts BACKEND/NAME in the order of running: the reference before the tested, and in both the programs that may end
// the machine last.
func SortPrograms(programs []string) {
	rank := func(program string) int {
		backend, name, _ := strings.Cut(program, "/")
		rank := map[string]int{"simd": 1, "panics": 2}[name]
		if backend == Tested {
			rank += 10
		}
		return rank
	}
	slices.SortFunc(programs, func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
}

// Parse reads the serial output of a boot. What a program prints besides its cases (a panic) and its exit status
// become cases of their own: PROGRAM/output and PROGRAM/exit.
func Parse(serial string) (*Run, error) {
	p := parser{run: &Run{Outputs: map[string]*Output{}, Items: map[string]map[string][]string{}}}
	for _, line := range strings.Split(strings.TrimRight(serial, "\r\n"), "\n") {
		if err := p.line(strings.TrimRight(line, "\r")); err != nil {
			return nil, err
		}
	}
	return p.run, nil
}

type parser struct {
	run              *Run
	backend, program string // of the program that runs, "" between programs
}

func (p *parser) line(line string) error {
	switch {
	case strings.HasPrefix(line, beginLine):
		path := strings.TrimPrefix(line, beginLine)
		backend, program, ok := strings.Cut(path, "/")
		if !ok {
			return fmt.Errorf("%q names no backend", line)
		}
		p.backend, p.program = backend, program
		if p.run.Outputs[backend] == nil {
			p.run.Outputs[backend] = &Output{Values: map[string]string{}}
			p.run.Items[backend] = map[string][]string{}
		}
		return nil
	case p.program == "" || strings.HasPrefix(line, "bootstrap: exec "):
		return nil
	case strings.HasPrefix(line, caseLine):
		name, value, ok := strings.Cut(strings.TrimPrefix(line, caseLine), ":")
		if !ok {
			return fmt.Errorf("%q has no value", line)
		}
		return p.add(name, strings.TrimSpace(value))
	case strings.HasPrefix(line, itemLine):
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, itemLine), " ")
		_, text, _ := strings.Cut(rest, ": ")
		p.run.Items[p.backend][name] = append(p.run.Items[p.backend][name], text)
		return nil
	case strings.HasPrefix(line, exitLine) && strings.HasSuffix(line, " bin/"+p.backend+"/"+p.program):
		err := p.add(p.program+"/exit", strings.Fields(line)[1])
		p.program = ""
		return err
	}
	out := p.run.Outputs[p.backend]
	name := p.program + "/output"
	if _, ok := out.Values[name]; !ok {
		return p.add(name, line)
	}
	out.Values[name] += "\n" + line
	return nil
}

func (p *parser) add(name, value string) error {
	out := p.run.Outputs[p.backend]
	if _, ok := out.Values[name]; ok {
		return fmt.Errorf("two cases of %s are named %s", p.backend, name)
	}
	out.Names = append(out.Names, name)
	out.Values[name] = value
	return nil
}
