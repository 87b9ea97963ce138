package front

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/config/environ"
	"github.com/pannous/redox-clif/internal/nearest"
)

// unknownFlag says what is wrong with a flag that a target does not have.
func unknownFlag(c *call, given, name string) string {
	if o, ok := findOption(name); ok {
		return fmt.Sprintf("%s is no flag of %s but an option before it: mage -%s %s", given, c.typed, o.name, c.typed)
	}
	var names []string
	for _, in := range c.target.Flags {
		names = append(names, in.Name)
	}
	text := fmt.Sprintf("%s has no flag %s", c.typed, given)
	if now, ok := renamedFlag(name); ok && slices.Contains(names, now) {
		return fmt.Sprintf("%s; it is called -%s now", text, now)
	}
	switch near := nearest.Names(name, names); {
	case len(near) > 0:
		return text + didYouMean("-", near)
	case len(names) == 0:
		return text + "; it has none"
	}
	return text + "; it has -" + strings.Join(names, ", -")
}

// renamedFlag is what a flag is called now, by the variables that were renamed with their flags.
func renamedFlag(name string) (string, bool) {
	for old, now := range environ.Renamed() {
		if variableName(name) == old {
			return strings.ToLower(strings.TrimPrefix(now, variablePrefix)), true
		}
	}
	return "", false
}

const variablePrefix = "REDOX_"

// variableName is the variable of a flag of this name.
func variableName(flag string) string { return variablePrefix + strings.ToUpper(flag) }

// checkNames refuses a value that names what is not there.
func (r *reader) checkNames(c *call, name, value string) {
	p, _ := describe(c.target.Name, name)
	values := []string{value}
	if p.list {
		values = strings.Split(value, ",")
	}
	for _, v := range values {
		if v == "" {
			continue
		}
		if problem := r.misnamed(p, v, c.firstWord()); problem != "" {
			r.problem(WrongValue, "%s: %s", c.typed, problem)
		}
	}
}

// misnamed says what is wrong with a name, "" when nothing is. recipe is the one that logs belong to.
func (r *reader) misnamed(p param, name, recipe string) string {
	if p.names == aRecipe && r.front.checkout.hasRecipe(name) {
		return ""
	}
	if p.names == someBackends {
		return r.front.checkout.misnamedBackend(strings.TrimSpace(name))
	}
	names, complete := r.front.checkout.known(p, recipe)
	if slices.Contains(names, name) {
		return ""
	}
	switch p.names {
	case aStep:
		return r.misnamedStep(name)
	case recipeOrPath:
		complete = !strings.ContainsRune(name, filepath.Separator) && !r.front.checkout.hasPath(name)
	case aLog: // also with slashes
		if slices.Contains(names, strings.ReplaceAll(name, "/", ".")) {
			return ""
		}
	}
	if !complete {
		return ""
	}
	text := fmt.Sprintf("there is no %s %q", kindNames[p.names], name)
	if p.names == anything {
		text = fmt.Sprintf("%s cannot be %q", p.value, name)
	}
	if near := nearest.Names(name, names); len(near) > 0 {
		return text + didYouMean("", near)
	}
	if p.names == aRecipe || p.names == recipeOrPath {
		return text + "; `mage recipe:list` lists the recipes"
	}
	return text + "; there are " + strings.Join(names, ", ")
}

// kindNames say what a name should have been the name of.
var kindNames = map[kind]string{aRecipe: "recipe", recipeOrPath: "image or recipe", anImage: "image", aBootTest: "boot test", aLog: "log of a step",
	aTriple: "target spec", aSet: "release set"}

// backendNames are all there are.
var backendNames = []string{"cranelift", "llvm"}

// misnamedBackend judges one choice like llvm:init. A component is a recipe, one of its steps, or a package; that one is not there is certain
// when no recipe has its name.
func (c checkout) misnamedBackend(choice string) string {
	backend, component, narrowed := strings.Cut(choice, ":")
	if !slices.Contains(backendNames, backend) {
		return fmt.Sprintf("%q is no choice of a backend: want cranelift or llvm, alone or with a recipe, step or package behind it, like llvm:init", choice)
	}
	top, step, ofStep := strings.Cut(component, "/")
	switch {
	case !narrowed, component == "*", !ofStep && c.hasRecipe(component):
		return ""
	case component == "":
		return fmt.Sprintf("%q names no recipe, step or package", choice)
	case ofStep && c.hasRecipe(top) && c.quotes(top, step), !ofStep && slices.ContainsFunc(c.recipes(), func(recipe string) bool { return c.quotes(recipe, component) }):
		return ""
	}
	return fmt.Sprintf("%s: there is no recipe, step or package %q%s", choice, component, didYouMean("", nearest.Names(component, c.recipes())))
}

// misnamedStep judges the recipe in the name of a step; which steps there are only a graph tells.
func (r *reader) misnamedStep(name string) string {
	top, below, _ := strings.Cut(name, "/")
	var tops []string
	for _, known := range append(r.front.checkout.recipes(), r.front.checkout.steps()...) {
		known, _, _ = strings.Cut(known, "/")
		tops = append(tops, known)
	}
	near := nearest.Names(top, tops)
	switch {
	case slices.Contains(tops, top):
		return r.misnamedBelow(name, top, below)
	case len(near) == 0:
		return ""
	}
	if below == "" {
		return fmt.Sprintf("there is no step or recipe %q%s", name, didYouMean("", near))
	}
	return fmt.Sprintf("there is no step %q: no recipe is named %s%s", name, top, didYouMean("", near))
}

// misnamedBelow judges the name of a step of a recipe that there is. It is wrong for certain only where the recipe speaks of no such step and
// one that was built here is spelt nearly so.
func (r *reader) misnamedBelow(name, recipe, below string) string {
	kind, _, _ := strings.Cut(below, "/")
	steps := r.front.checkout.steps()
	if below == "" || slices.Contains(steps, name) || r.front.checkout.quotes(recipe, kind) {
		return ""
	}
	near := slices.DeleteFunc(nearest.Names(name, steps), func(step string) bool { return !strings.HasPrefix(step, recipe+"/") })
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("there is no step %q%s", name, didYouMean("", near))
}

// noTarget says that a word is no target, and passes over what would have belonged to it.
func (r *reader) noTarget() {
	word := r.next()
	kind := WrongForm
	if r.front.namesRecipe(word) {
		kind = WrongValue
	}
	r.problem(kind, "%s", r.unknown(word))
	for len(r.rest) > 0 && r.front.find(r.rest[0]) == nil {
		r.next()
	}
}

// namesRecipe tells whether a word has the form recipe:NAME.
func (f *Front) namesRecipe(word string) bool {
	return strings.HasPrefix(strings.ToLower(word), "recipe:") && f.target("recipe:build") != nil
}

func (r *reader) unknown(word string) string {
	if r.last != nil && strings.EqualFold(word, "help") {
		return "help comes first: mage help " + r.last.typed
	}
	if r.last == nil {
		return fmt.Sprintf("there is no target %q%s", word, r.front.instead(word))
	}
	takes := map[int]string{0: "no word", 1: "one word"}[len(r.last.target.Words)]
	switch {
	case r.last.named:
		takes = "no word"
	case takes == "":
		takes = fmt.Sprintf("%d words", len(r.last.target.Words))
	}
	text := fmt.Sprintf("%q is no target, and %s takes %s", word, r.last.typed, takes)
	if len(r.last.target.Words) == 1 && r.misnamed(wordParam(r.last.target), word, "") == "" && wordParam(r.last.target).names != anything {
		return fmt.Sprintf("%s; each wants a target of its own: mage %s %s", text, r.last.as(r.last.words[0]), r.last.as(word))
	}
	return text + r.front.instead(word)
}

func wordParam(t *Target) param {
	p, _ := describe(t.Name, t.Words[0].Name)
	return p
}

// as is the call's target with another word, as one would type it.
func (c *call) as(word string) string {
	if c.named {
		return "recipe:" + word
	}
	return c.typed + " " + word
}

// instead is what may have been meant by an unknown target.
func (f *Front) instead(word string) string {
	word = strings.ToLower(word)
	namespace, last, qualified := strings.Cut(word, ":")
	inside, all := f.names(namespace)
	switch {
	case qualified && len(inside) > 0:
		if near := nearest.Names(last, inside); len(near) > 0 {
			return didYouMean(namespace+":", near)
		}
		return "; `mage help " + namespace + "` lists the targets of " + namespace + ":"
	case len(inside) > 0:
		return "; `mage help " + word + "` lists the targets of " + word + ":"
	}
	var same []string
	for _, name := range all {
		if strings.HasSuffix(name, ":"+word) {
			same = append(same, name)
		}
	}
	if len(same) == 0 {
		same = nearest.Names(word, all)
	}
	if len(same) == 0 {
		return "; `mage -l` lists the targets"
	}
	return didYouMean("", same)
}

// names are what is in a namespace, without its name, and all targets, recipe:NAME among them.
func (f *Front) names(namespace string) (inside, all []string) {
	all = []string{"help", "completion"}
	for name := range f.byName {
		all = append(all, name)
	}
	for _, recipe := range f.checkout.recipes() {
		all = append(all, "recipe:"+recipe)
	}
	slices.Sort(all)
	for _, name := range all {
		if last, ok := strings.CutPrefix(name, namespace+":"); ok {
			inside = append(inside, last)
		}
	}
	return inside, all
}
