package front

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// UsageError says what is wrong with a command line. Nothing of it was run.
type UsageError struct{ Problems []Problem }

func (e *UsageError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Text
	}
	return strings.Join(texts, "\n")
}

// Problem is one thing that is wrong.
type Problem struct {
	Text string
	Kind ProblemKind
}

// ProblemKind tells problems apart.
type ProblemKind int

// The kinds.
const (
	WrongForm  ProblemKind = iota // what stands there belongs to nothing
	WrongValue                    // a name of something that is not there, or no number
	Missing                       // a word of a target
)

// Wrong is the error for one thing that is wrong with the form of a line.
func Wrong(format string, args ...any) *UsageError {
	return &UsageError{[]Problem{{fmt.Sprintf(format, args...), WrongForm}}}
}

// Line is a command line that is right.
type Line struct {
	// Args are what Mage's binary takes: targets, each with its words and then its flags as -name=value.
	Args []string
	// Targets is how many targets that are.
	Targets int
	// Help is the target whose help was asked for in place of a run.
	Help string
}

// Check reads targets with their words and flags. A flag may stand anywhere behind its target, as -j4, -j 4, -j=4 or --j=4. The error is
// a *UsageError with everything that is wrong.
func (f *Front) Check(words []string) (*Line, error) {
	r := &reader{front: f, rest: words}
	line := &Line{}
	for len(r.rest) > 0 {
		c := r.call()
		if c == nil {
			continue
		}
		if c.help && line.Help == "" {
			line.Help = c.typed
		}
		line.Args, line.Targets = append(line.Args, c.args()...), line.Targets+1
		r.last = c
	}
	if line.Help == "" && len(r.problems) > 0 {
		return nil, &UsageError{r.problems}
	}
	return line, nil
}

// reader takes a command line apart.
type reader struct {
	front    *Front
	rest     []string
	problems []Problem
	last     *call // the target before
}

// call is a target with what is given to it.
type call struct {
	target *Target
	typed  string // the target's name as it was typed
	named  bool   // the first word is in that: recipe:NAME
	words  []string
	flags  []flagValue
	help   bool
}

type flagValue struct{ name, value string }

func (c *call) args() []string {
	args := append([]string{c.target.Name}, c.words...)
	for _, f := range c.flags {
		args = append(args, "-"+f.name+"="+f.value)
	}
	return args
}

func (c *call) firstWord() string {
	if len(c.words) == 0 {
		return ""
	}
	return c.words[0]
}

func (c *call) has(flag string) bool {
	return slices.ContainsFunc(c.flags, func(f flagValue) bool { return f.name == flag })
}

func (r *reader) problem(kind ProblemKind, format string, args ...any) {
	r.problems = append(r.problems, Problem{fmt.Sprintf(format, args...), kind})
}

func (r *reader) next() string {
	word := r.rest[0]
	r.rest = r.rest[1:]
	return word
}

// call reads one target and what belongs to it; nil when there is no such target.
func (r *reader) call() *call {
	c := r.front.find(r.rest[0])
	if c == nil {
		r.noTarget()
		return nil
	}
	r.next()
	for len(r.rest) > 0 {
		switch word := r.rest[0]; {
		case isFlag(word):
			r.flag(c)
		case len(c.words) < len(c.target.Words):
			c.words = append(c.words, r.next())
		case r.takesBare(c, word):
			name, _ := bareFlag(c.target)
			c.flags = append(c.flags, flagValue{name, r.next()})
		default:
			r.check(c)
			return c
		}
	}
	r.check(c)
	return c
}

// find makes a call of a target's name. recipe:NAME stands for recipe:build NAME, with the name as it is or as Mage spells it.
func (f *Front) find(typed string) *call {
	if t := f.target(typed); t != nil {
		return &call{target: t, typed: t.Name}
	}
	name, ok := strings.CutPrefix(strings.ToLower(typed), "recipe:")
	build := f.target("recipe:build")
	if !ok || build == nil {
		return nil
	}
	if !f.checkout.hasRecipe(name) {
		i := slices.IndexFunc(f.checkout.recipes(), func(recipe string) bool { return lettersOnly(recipe) == name })
		if i < 0 {
			return nil
		}
		name = f.checkout.recipes()[i]
	}
	return &call{target: build, typed: "recipe:" + name, named: true, words: []string{name}}
}

// lettersOnly is a recipe's name as it is in a Go name, in lower case.
func lettersOnly(recipe string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", "+", "").Replace(recipe))
}

// bareFlag is the flag of a target whose value may stand there as a word.
func bareFlag(t *Target) (name string, ok bool) {
	for _, in := range t.Flags {
		if p, _ := describe(t.Name, in.Name); p.bare {
			return in.Name, true
		}
	}
	return "", false
}

// takesBare tells whether a word is the value of a target's bare flag: right behind the target everything is but what has the form of a
// target in a namespace, further on what there is by that name or is no target.
func (r *reader) takesBare(c *call, word string) bool {
	name, ok := bareFlag(c.target)
	if !ok || c.has(name) {
		return false
	}
	if r.front.find(word) == nil {
		return true
	}
	if len(c.flags) == 0 {
		return !strings.Contains(word, ":")
	}
	p, _ := describe(c.target.Name, name)
	names, _ := r.front.checkout.known(p, "")
	return slices.Contains(names, word)
}

// flag reads one flag of a target, and its value if that is a word of its own.
func (r *reader) flag(c *call) {
	given := r.next()
	name, value, hasValue := cutFlag(given)
	in, ok := c.target.flag(name)
	if !ok && (name == "h" || name == "help") {
		c.help = true
		return
	}
	if !ok && !hasValue && len(name) > 1 { // -j4
		if in, ok = c.target.flag(name[:1]); ok {
			value, hasValue = name[1:], true
			_, err := strconv.Atoi(value)
			ok = in.Type == "int" && err == nil
		}
	}
	if !ok {
		r.problem(WrongForm, "%s", unknownFlag(c, given, name))
		return
	}
	p, _ := describe(c.target.Name, in.Name)
	switch {
	case hasValue:
	case in.Type == "bool":
		value = "true"
	case len(r.rest) > 0 && (!isFlag(r.rest[0]) || fits(in.Type, r.rest[0]) && in.Type != "string"):
		value = r.next()
	default:
		r.problem(WrongForm, "-%s of %s wants a value: -%s=%s", in.Name, c.typed, in.Name, p.value)
		return
	}
	if !fits(in.Type, value) {
		r.problem(WrongValue, "-%s=%s of %s: want %s", in.Name, value, c.typed, typeNames[in.Type])
		return
	}
	c.flags = append(c.flags, flagValue{in.Name, value})
}

// typeNames say what a value has to be.
var typeNames = map[string]string{"int": "a whole number", "float64": "a number", "bool": "true or false", "time.Duration": "a time like 5m30s"}

// fits tells whether a value can be read as a type.
func fits(typ, value string) bool {
	var err error
	switch typ {
	case "int":
		_, err = strconv.Atoi(value)
	case "float64":
		_, err = strconv.ParseFloat(value, 64)
	case "bool":
		_, err = strconv.ParseBool(value)
	case "time.Duration":
		_, err = time.ParseDuration(value)
	}
	return err == nil
}

// check holds a call to what its target takes.
func (r *reader) check(c *call) {
	if c.help {
		return
	}
	r.fromTop(c)
	if missing := c.target.Words[len(c.words):]; len(missing) > 0 {
		var names []string
		for _, in := range missing {
			p, _ := describe(c.target.Name, in.Name)
			names = append(names, p.value+" ("+p.text+")")
		}
		r.problem(Missing, "%s lacks %s; it is called: %s", c.typed, strings.Join(names, " and "), usage(c.target))
	}
	for i, word := range c.words {
		in := c.target.Words[i]
		if !fits(in.Type, word) {
			r.problem(WrongValue, "%q of %s: want %s", word, c.typed, typeNames[in.Type])
			continue
		}
		r.checkNames(c, in.Name, word)
	}
	for _, f := range c.flags {
		r.checkNames(c, f.name, f.value)
	}
}
