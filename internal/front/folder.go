package front

import (
	"path/filepath"
	"regexp"
	"strings"
)

// From says in which folder the names of files are typed, relative to the top of the checkout. Targets run at the top: Check makes
// relative names of files lead to the same files from there, and Complete offers what is in the folder.
func (f *Front) From(folder string) { f.checkout.folder = folder }

// fromTop makes the names of files in a call lead there from the top of the checkout.
func (r *reader) fromTop(c *call) {
	for i, in := range c.target.Words[:min(len(c.words), len(c.target.Words))] {
		c.words[i] = r.front.checkout.valueFromTop(c.target.Name, in.Name, c.words[i])
	}
	for i, f := range c.flags {
		c.flags[i].value = r.front.checkout.valueFromTop(c.target.Name, f.name, f.value)
	}
}

func (c checkout) valueFromTop(target, name, value string) string {
	p, _ := describe(target, name)
	switch p.names {
	case aPath:
		return c.pathFromTop(value)
	case recipeOrPath:
		if strings.ContainsRune(value, filepath.Separator) || !c.hasRecipe(value) && c.hasPath(c.pathFromTop(value)) {
			return c.pathFromTop(value)
		}
	case hostFiles:
		files := strings.Split(value, ",")
		for i, file := range files {
			if host, to, ok := strings.Cut(file, ":"); ok {
				files[i] = c.pathFromTop(host) + ":" + to
			}
		}
		return strings.Join(files, ",")
	}
	return value
}

// publicKey is a key in place of a file with one.
var publicKey = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)

// pathFromTop leaves what is no relative path as it is: "-" is standard input or output.
func (c checkout) pathFromTop(value string) string {
	if c.folder == "" || c.folder == "." || value == "" || value == "-" || filepath.IsAbs(value) || value[0] == '~' || strings.Contains(value, "://") || publicKey.MatchString(value) {
		return value
	}
	return filepath.Join(c.folder, value)
}
