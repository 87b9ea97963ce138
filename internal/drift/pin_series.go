package drift

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/tomledit"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Foreign sources are never edited in place, so the pin goes into them as one more patch series, written
// by `mage toolchain:pin`: patches/pin-<recipe>/, named last in the recipe.

// series is the name of the series that carries the pin into the source.
func (p sourcePin) series() string {
	name := "pin-" + p.Recipes[0].Name
	if p.Variant != "" {
		name += "-" + p.Variant
	}
	return name
}

// sourcePin is a source into which the pin is to be carried.
type sourcePin struct {
	// Recipes are the recipe as each release set with the pin has it.
	Recipes []*recipe.Recipe
	// Variant is the set whose pin it is, see [Checkout].
	Variant string
	// Trees are the sources of the recipes as they are before patches.
	Trees []*Tree
}

// Files are the files that carry a channel into the source: the series and the recipe that names it, by
// slash path below the checkout. patches is the folder of all series, recipeText the recipe's file.
// Nothing is returned when no source of the recipe names another toolchain.
func (p sourcePin) Files(channel string, patches fs.FS, recipePath string, recipeText []byte) (map[string][]byte, error) {
	anchors, err := p.anchors(channel, patches)
	if err != nil || len(anchors) == 0 {
		return nil, err
	}
	series := p.series()
	files := map[string][]byte{}
	for i, name := range slices.Sorted(maps.Keys(anchors)) {
		files[fmt.Sprintf("patches/%s/%04d-toolchain.toml", series, i+1)] = pinPatch(channel, p.Recipes[0].Name, name, anchors[name])
	}
	changed, err := p.nameSeries(recipeText)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", recipePath, err)
	}
	if string(changed) != string(recipeText) {
		files[recipePath] = changed
	}
	return files, nil
}

// anchors are the files to change with what finds the channel in each: those that the series changes
// already, since not every set's source need be here, and those of the trees that name another channel.
func (p sourcePin) anchors(channel string, patches fs.FS) (map[string]string, error) {
	anchors := map[string]string{}
	if slices.ContainsFunc(p.Recipes, func(r *recipe.Recipe) bool { return slices.Contains(r.Patches, p.series()) }) {
		present, err := patch.Load(patches, p.series())
		if err != nil {
			return nil, err
		}
		for _, one := range present.Patches {
			for _, e := range one.Edits {
				anchors[e.File] = e.Anchor
			}
		}
	}
	for _, tree := range p.Trees {
		for _, name := range tree.named(toolchain.IsToolchainFile) {
			anchor, err := anchorOf(channel, tree, name)
			if err != nil {
				return nil, err
			}
			if anchor != "" {
				anchors[name] = anchor
			}
		}
	}
	return anchors, nil
}

const (
	keyAnchor    = `^[ \t]*channel[ \t]*=[ \t]*("[^"\n]*"|'[^'\n]*')`
	legacyAnchor = `^[A-Za-z0-9][A-Za-z0-9._-]*$`
)

// anchorOf is the pattern that finds the channel in a file, empty when the file names the wanted one. That
// the pattern finds its one place is made sure of here.
func anchorOf(channel string, tree *Tree, name string) (string, error) {
	f, err := tree.ReadFile(name)
	if err != nil {
		return "", err
	}
	present, _, err := toolchain.ChannelOf(name, f.Data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if present == channel {
		return "", nil
	}
	anchor := keyAnchor
	if path.Base(name) == "rust-toolchain" && strings.TrimSpace(string(f.Data)) == present {
		anchor = legacyAnchor
	}
	if n := len(regexp.MustCompile("(?m)"+anchor).FindAllIndex(f.Data, -1)); n != 1 {
		return "", fmt.Errorf("%s names its channel %d times in a form that can be replaced: pin it by a patch of your own", name, n)
	}
	return anchor, nil
}

// pinPatch is the patch of one toolchain file. It is not needed where a set's source lacks the file.
func pinPatch(channel, recipeName, file, anchor string) []byte {
	text := "channel = " + strconv.Quote(channel)
	if anchor == legacyAnchor {
		text = channel
	}
	return fmt.Appendf(nil, `# Written by "mage toolchain:pin", not by hand.
title = "The toolchain of %s is the one pin"
reason = """
The source names a toolchain of its own. Whoever runs cargo by hand in the patched source would
compile with another one than the build does."""
test = "drift"

[needed]
file = %q
pattern = '\S'

[[edit]]
file = %q
anchor = '''%s'''
regex = true
where = "replace"
text = '''%s'''
satisfied = '''%s'''
`, recipeName, file, file, anchor, text, regexp.QuoteMeta(text))
}

// nameSeries puts the series last in every list of patches that a set with the pin has, where it is not named yet. In the list of a set
// with a pin of its own it takes the place of the series that carries the first set's.
func (p sourcePin) nameSeries(text []byte) ([]byte, error) {
	doc, err := tomledit.Parse(text)
	if err != nil {
		return nil, err
	}
	series := p.series()
	for _, r := range p.Recipes {
		if slices.Contains(r.Patches, series) {
			continue
		}
		named := slices.DeleteFunc(slices.Clone(r.Patches), func(other string) bool { return other == "pin-"+r.Name })
		if err := doc.Set(append(named, series), p.patchesKey(r)...); err != nil {
			return nil, err
		}
	}
	return doc.Bytes(), nil
}

// patchesKey is where the recipe's file says the patches of a set, or is to say them: the list of the first set stays its own.
func (p sourcePin) patchesKey(r *recipe.Recipe) []string {
	if key := r.PatchesKey(); len(key) > 1 || p.Variant == "" {
		return key
	}
	return []string{"set", p.Variant, "patches"}
}
