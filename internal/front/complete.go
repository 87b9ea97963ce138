package front

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Candidate is what the word at the cursor can become.
type Candidate struct {
	Value string
	Help  string // may be empty
}

// Complete finds what the last word of a command line, which may be empty, can become. A value that ends with = or / goes on: no space
// belongs behind it.
func (f *Front) Complete(words []string) []Candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	before, word := words[:len(words)-1], words[len(words)-1]
	for len(before) > 0 && isFlag(before[0]) {
		name, _, hasValue := cutFlag(before[0])
		if name == "h" || name == "help" {
			return f.begins(word, f.helpCandidates())
		}
		o, _ := findOption(name)
		before = before[1:]
		if o.value != "" && !hasValue {
			if len(before) == 0 {
				return f.begins(word, f.checkout.paths(word))
			}
			before = before[1:]
		}
	}
	if len(before) == 0 {
		return f.begins(word, f.firstCandidates(word))
	}
	switch strings.ToLower(before[0]) {
	case "help":
		return f.begins(word, f.helpCandidates())
	case "completion":
		return f.begins(word, plain(Shells()))
	}
	return f.begins(word, f.inside(before, word))
}

// begins keeps the candidates that go on from a word.
func (f *Front) begins(word string, all []Candidate) []Candidate {
	kept := slices.DeleteFunc(all, func(c Candidate) bool { return !strings.HasPrefix(c.Value, word) })
	slices.SortStableFunc(kept, func(a, b Candidate) int { return strings.Compare(a.Value, b.Value) })
	return slices.CompactFunc(kept, func(a, b Candidate) bool { return a.Value == b.Value })
}

func plain(names []string) []Candidate {
	var all []Candidate
	for _, name := range names {
		all = append(all, Candidate{Value: name})
	}
	return all
}

func (f *Front) firstCandidates(word string) []Candidate {
	if !strings.HasPrefix(word, "-") {
		return append(f.targetCandidates(word), Candidate{"help", "what a target takes, and other topics"}, Candidate{"completion", "a script for your shell"})
	}
	var all []Candidate
	for _, o := range options {
		all = append(all, Candidate{"-" + o.name, o.text})
	}
	return all
}

// targetCandidates are all targets; recipe:NAME only when it is asked for: there are many.
func (f *Front) targetCandidates(word string) []Candidate {
	var all []Candidate
	for _, t := range f.Targets {
		all = append(all, Candidate{t.Name, t.Summary})
	}
	if strings.HasPrefix(word, "recipe:") {
		for _, name := range f.checkout.recipes() {
			all = append(all, Candidate{"recipe:" + name, f.checkout.description(name)})
		}
	}
	return all
}

func (f *Front) helpCandidates() []Candidate {
	all := f.targetCandidates("recipe:")
	for _, a := range areas {
		all = append(all, Candidate{a.topic, a.title})
	}
	for _, t := range topics {
		all = append(all, Candidate{t.name, t.title})
	}
	return all
}

// inside are the candidates behind a target: its words, its flags, the values of those, and the next target.
func (f *Front) inside(before []string, word string) []Candidate {
	r := &reader{front: f, rest: slices.Clone(before)}
	var c *call
	for len(r.rest) > 0 {
		c = r.call()
	}
	if c == nil {
		return nil
	}
	if name, ok := awaited(c, before[len(before)-1]); ok {
		return f.values(c, name, word)
	}
	if strings.HasPrefix(word, "-") {
		if name, value, hasValue := cutFlag(word); hasValue {
			return f.flagValues(c, word[:len(word)-len(value)], name, value)
		}
		return c.flagCandidates(word)
	}
	if len(c.words) < len(c.target.Words) {
		return f.values(c, c.target.Words[len(c.words)].Name, word)
	}
	var all []Candidate
	if name, ok := bareFlag(c.target); ok && !c.has(name) {
		all = f.values(c, name, word)
	}
	if word == "" {
		return append(all, c.flagCandidates("-")...)
	}
	return append(all, f.targetCandidates(word)...)
}

// awaited is the flag whose value the word at the cursor is, because the flag before has none.
func awaited(c *call, last string) (name string, ok bool) {
	if !isFlag(last) {
		return "", false
	}
	name, _, hasValue := cutFlag(last)
	in, known := c.target.flag(name)
	return in.Name, known && !hasValue && in.Type != "bool"
}

// flagCandidates are the flags that are not given yet, with as many hyphens as the word has.
func (c *call) flagCandidates(word string) []Candidate {
	hyphens := "-"
	if strings.HasPrefix(word, "--") {
		hyphens = "--"
	}
	var all []Candidate
	for _, in := range c.target.Flags {
		if c.has(in.Name) {
			continue
		}
		p, _ := describe(c.target.Name, in.Name)
		value := hyphens + in.Name
		if in.Type != "bool" {
			value += "="
		}
		all = append(all, Candidate{value, p.text})
	}
	return append(all, Candidate{hyphens + "help", "what " + c.target.Name + " takes"})
}

// flagValues are the values of -name=VALUE with what stands before the value.
func (f *Front) flagValues(c *call, prefix, name, value string) []Candidate {
	in, ok := c.target.flag(name)
	if !ok {
		return nil
	}
	all := f.values(c, in.Name, value)
	for i := range all {
		all[i].Value = prefix + all[i].Value
	}
	return all
}

// values are what a word or flag of a target can be. Of a list, the last element is completed.
func (f *Front) values(c *call, name, word string) []Candidate {
	p, _ := describe(c.target.Name, name)
	if p.names == someBackends {
		return f.backends(word)
	}
	done := ""
	if i := strings.LastIndexByte(word, ','); p.list && i >= 0 {
		done = word[:i+1]
	}
	names, _ := f.checkout.known(p, c.firstWord())
	all := plain(names)
	if p.names == aPath || p.names == recipeOrPath {
		all = append(all, f.checkout.paths(word)...)
	}
	for i := range all {
		all[i].Value = done + all[i].Value
		if len(names) > 0 && (p.names == aRecipe || p.names == perhapsARecipe) {
			all[i].Help = f.checkout.description(names[i])
		}
	}
	return all
}

// backends completes the last element of a list like llvm:init,cranelift:*.
func (f *Front) backends(word string) []Candidate {
	done := word[:strings.LastIndexByte(word, ',')+1]
	var all []Candidate
	for _, backend := range backendNames {
		for _, component := range append([]string{"*"}, f.checkout.recipes()...) {
			all = append(all, Candidate{Value: done + backend + ":" + component})
		}
	}
	return all
}

// paths are the files and folders that a path can go on to.
func (c checkout) paths(word string) []Candidate {
	folder, _ := filepath.Split(word)
	dir := c.absolute(c.pathFromTop(cmp.Or(folder, ".")))
	entries, _ := os.ReadDir(dir)
	var all []Candidate
	for _, e := range entries {
		value := folder + e.Name()
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() {
			value += "/"
		}
		if !strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(filepath.Base(word), ".") {
			all = append(all, Candidate{Value: value})
		}
	}
	return all
}
