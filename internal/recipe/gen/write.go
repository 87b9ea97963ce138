package gen

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/recipe"
)

// Write brings the files of the checkout at root up to date and returns the slash paths of those it
// changed. A file that is right is left alone with its times. releases are the checkout's release sets.
func Write(root string, releases recipe.Releases) ([]string, error) {
	recipes, err := recipe.LoadAll(filepath.Join(root, "recipes"), releases)
	if err != nil {
		return nil, err
	}
	_, aliasesPath := Paths(root)
	aliases, err := os.ReadFile(aliasesPath)
	if err != nil {
		return nil, err
	}
	files, err := Files(recipes, aliases)
	if err != nil {
		return nil, err
	}
	var changed []string
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := renameio.WriteFile(path, text, 0o644); err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	slices.Sort(changed)
	return changed, nil
}
