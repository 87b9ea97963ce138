package front

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checkout finds what can be named, by the names of files. What cannot be read has no names: saying why is for the target.
type checkout struct {
	root   string
	folder string // where names of files are typed, relative to root; "" and "." are root
}

// recipeFile makes a folder in recipes/ a recipe.
const recipeFile = "recipe.toml"

// glob are the slash paths in the checkout that match a pattern.
func (c checkout) glob(pattern string) []string {
	found, _ := fs.Glob(os.DirFS(c.root), pattern)
	return found
}

func (c checkout) recipes() []string {
	var names []string
	entries, _ := os.ReadDir(filepath.Join(c.root, "recipes"))
	for _, e := range entries {
		if c.hasRecipe(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// hasRecipe asks for one, which is quicker than listing all.
func (c checkout) hasRecipe(name string) bool {
	_, err := os.Stat(filepath.Join(c.root, "recipes", name, recipeFile))
	return err == nil && name == filepath.Base(name)
}

// hasPath tells whether there is a file or folder, of a relative path as seen from the root, where targets run.
func (c checkout) hasPath(name string) bool {
	_, err := os.Stat(c.absolute(name))
	return err == nil
}

func (c checkout) absolute(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.root, name)
}

// lines are those of a recipe's file. They are looked at one by one for what is shown beside a name: a reader of TOML would delay the start
// of every target, as every package that this one imports does.
func (c checkout) lines(recipe string) []string {
	text, _ := os.ReadFile(filepath.Join(c.root, "recipes", recipe, recipeFile))
	return strings.Split(string(text), "\n")
}

// description is a recipe's, or "" when it is written in some other way than on a line of its own.
func (c checkout) description(recipe string) string {
	for _, line := range c.lines(recipe) {
		if value, ok := strings.CutPrefix(line, "description = "); ok {
			text, _ := strconv.Unquote(value)
			return text
		}
	}
	return ""
}

// setLine is the line of the pin that names the active release set.
var setLine = regexp.MustCompile(`^set\s*=\s*["']([A-Za-z0-9_-]+)["']`)

// sets are the release sets. complete says that there are no others: the active one is named in the usual way.
func (c checkout) sets() (names []string, complete bool) {
	for _, file := range c.glob("toolchain/sets/*/toolchain.toml") {
		names = append(names, path.Base(path.Dir(file)))
	}
	text, _ := os.ReadFile(filepath.Join(c.root, "toolchain", "toolchain.toml"))
	for _, line := range strings.Split(string(text), "\n") {
		if m := setLine.FindStringSubmatch(line); m != nil {
			names, complete = append(names, m[1]), true
		}
	}
	slices.Sort(names)
	return slices.Compact(names), complete
}

// quotes tells whether a recipe's file has a name in quotes, as those of steps and packages are.
func (c checkout) quotes(recipe, name string) bool {
	return slices.ContainsFunc(c.lines(recipe), func(line string) bool {
		return strings.Contains(line, `"`+name+`"`) || strings.Contains(line, "'"+name+"'")
	})
}

// described are the names of the TOML files in a folder of the checkout: images, boot tests, target specs, toolchains to build.
func (c checkout) described(folder string) []string {
	var names []string
	for _, file := range c.glob(folder + "/*.toml") {
		names = append(names, strings.TrimSuffix(path.Base(file), ".toml"))
	}
	return names
}

// steps are those that have been built here, for any target and release set.
func (c checkout) steps() []string {
	var names []string
	for _, file := range c.glob("out/*/state/*/nodes/*.json") {
		names = append(names, strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".json"), "__", "/"))
	}
	return names
}

// logs are the steps of a recipe that have left a log here, as recipe:log takes them.
func (c checkout) logs(recipe string) []string {
	var names []string
	for _, file := range c.glob("out/*/log/*.log") {
		if step, ok := strings.CutPrefix(strings.TrimSuffix(path.Base(file), ".log"), recipe+"."); ok {
			names = append(names, step)
		}
	}
	return names
}

// known are the names that a value can be. complete says that there are no others.
func (c checkout) known(p param, recipe string) (names []string, complete bool) {
	if len(p.oneOf) > 0 {
		return p.oneOf, true
	}
	switch p.names {
	case aRecipe:
		return c.recipes(), true
	case perhapsARecipe, recipeOrPath:
		return c.recipes(), false
	case anImage:
		return c.described("images"), true
	case aBootTest:
		return append(c.described("images/boot"), "all"), true
	case aTriple:
		return c.described("targets"), true
	case aLog:
		names := c.logs(recipe)
		return names, len(names) > 0
	case aStep:
		return append(c.recipes(), c.steps()...), false
	case aSet:
		return c.sets()
	case aToolchain:
		return c.described("toolchain/builds"), false
	}
	return nil, false
}
