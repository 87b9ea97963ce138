package session

import (
	"os"
	"strings"

	"github.com/pannous/redox-clif/internal/prepare"
)

// builtFrom is what compilers of a build are told to write for the folder with a recipe's source.
const builtFrom = "/build/src/"

// SourceFile is the name under which a person opens a file that debug information names: that of the recipe's folder or an override's where the
// source is one, else the file's in the source.
func (s *Session) SourceFile(recipe, file string) string {
	at, ok := strings.CutPrefix(file, builtFrom)
	if !ok {
		return file
	}
	d, err := s.described()
	if err != nil {
		return at
	}
	r, err := d.recipes.Get(recipe)
	if err != nil {
		return at
	}
	own := prepare.New(prepare.Options{Recipes: d.recipes, Overrides: d.overrides, Store: s.Store}).UserFile(r, at)
	if _, err := os.Stat(own); own == "" || err != nil {
		return at
	}
	return s.Relative(own)
}
