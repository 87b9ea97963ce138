package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// text puts the values of expressions into a text.
func (w *world) text(s string) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${{")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		expression, after, ok := strings.Cut(rest, "}}")
		if !ok {
			return "", fmt.Errorf("%q does not end", rest)
		}
		v, err := evaluate(expression, w.lookup, w.call)
		if err != nil {
			return "", err
		}
		b.WriteString(asText(v))
		s = after
	}
}

// lookup is the value of a context's path, nil for what is not there.
func (w *world) lookup(path string) (any, error) {
	contexts := map[string]any{
		"inputs": w.inputs, "matrix": w.matrix, "steps": w.steps,
		"github": map[string]any{"workspace": w.checkout, "event_name": w.event, "sha": strings.Repeat("0", 40), "workflow": "local", "ref": "refs/heads/local", "event": map[string]any{}},
		"runner": map[string]any{"os": "Linux", "arch": "X64", "temp": w.temp},
	}
	var at any = contexts
	for part := range strings.SplitSeq(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, nil
		}
		at = m[part]
		if part == strings.SplitN(path, ".", 2)[0] && at == nil {
			return nil, fmt.Errorf("there is no context %q", part)
		}
	}
	return at, nil
}

// call is a function's value.
func (w *world) call(name string, args []any) (any, error) {
	switch name {
	case "always":
		return true, nil
	case "failure":
		return w.failed, nil
	case "success":
		return !w.failed, nil
	case "hashFiles":
		return strings.Repeat("0", 64), nil // nothing is kept by it
	case "format":
		text := asText(args[0])
		for i, a := range args[1:] {
			text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i), asText(a))
		}
		return filepath.Clean(text), nil
	}
	return nil, fmt.Errorf("the function %s is not known here", name)
}

func asText(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func truth(v any) bool { return v != nil && v != false && v != "" }

// token of an expression: a string, an operator, a path or a function's name.
var token = regexp.MustCompile(`^\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!(),]|[A-Za-z_][\w.-]*)`)

// parser reads an expression: operands in turn, each with the rule of what binds stronger.
type parser struct {
	rest   string
	lookup func(string) (any, error)
	call   func(string, []any) (any, error)
}

// evaluate is the value of an expression of workflows, as far as ours use them.
func evaluate(expression string, lookup func(string) (any, error), call func(string, []any) (any, error)) (any, error) {
	p := &parser{expression, lookup, call}
	v, err := p.or()
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = fmt.Errorf("%q is not understood", p.rest)
	}
	return v, err
}

func (p *parser) peek() string {
	m := token.FindStringSubmatch(p.rest)
	if m == nil {
		return ""
	}
	return m[1]
}

func (p *parser) take() string {
	m := token.FindStringSubmatch(p.rest)
	if m == nil {
		return ""
	}
	p.rest = p.rest[len(m[0]):]
	return m[1]
}

func (p *parser) or() (any, error) {
	v, err := p.and()
	for err == nil && p.peek() == "||" {
		p.take()
		var next any
		if next, err = p.and(); !truth(v) {
			v = next
		}
	}
	return v, err
}

func (p *parser) and() (any, error) {
	v, err := p.comparison()
	for err == nil && p.peek() == "&&" {
		p.take()
		var next any
		if next, err = p.comparison(); truth(v) {
			v = next
		}
	}
	return v, err
}

func (p *parser) comparison() (any, error) {
	v, err := p.operand()
	if operator := p.peek(); err == nil && (operator == "==" || operator == "!=") {
		p.take()
		next, err := p.operand()
		return (asText(v) == asText(next)) == (operator == "=="), err
	}
	return v, err
}

func (p *parser) operand() (any, error) {
	t := p.take()
	switch {
	case t == "":
		return nil, fmt.Errorf("%q is not understood", p.rest)
	case t == "!":
		v, err := p.operand()
		return !truth(v), err
	case t == "(":
		v, err := p.or()
		if p.take() != ")" {
			return nil, fmt.Errorf("a ) is missing before %q", p.rest)
		}
		return v, err
	case t[0] == '\'':
		return strings.ReplaceAll(t[1:len(t)-1], "''", "'"), nil
	case p.peek() == "(":
		return p.function(t)
	}
	return p.lookup(t)
}

func (p *parser) function(name string) (any, error) {
	p.take()
	var args []any
	for p.peek() != ")" {
		v, err := p.or()
		if err != nil {
			return nil, err
		}
		if args = append(args, v); p.peek() == "," {
			p.take()
		}
	}
	p.take()
	return p.call(name, args)
}
