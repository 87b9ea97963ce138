package drift

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/pannous/redox-clif/internal/toolchain"
)

// RepinOptions say how the pin changes.
type RepinOptions struct {
	Channel string
	Link    bool // make toolchain files links to the pin instead of rewriting them
	DryRun  bool // change nothing
}

// Repinned is what a change of the pin changes.
type Repinned struct {
	// Changes are the files; their paths are relative to the checkout when they are in it.
	Changes []toolchain.Change `json:"changes"`
	// Unseen are the sources that are not here, so that nothing is known of their files.
	Unseen []Unchecked `json:"unseen"`
}

// Repin changes the one pin and everything that names a toolchain: the files of this checkout, those in folders that take the
// place of sources, workflows, and by patch series those of foreign sources. Either all of it is changed or nothing is.
func Repin(ctx context.Context, c *Checkout, o RepinOptions) (*Repinned, error) {
	var sources []Source
	for _, in := range c.withPin() {
		some, err := in.collect(ctx)
		if err != nil {
			return nil, err
		}
		for _, src := range some { // what several sets have alike is looked at once
			if !slices.ContainsFunc(sources, func(known Source) bool { return known.Name == src.Name }) {
				sources = append(sources, src)
			}
		}
	}
	var err error
	repin := toolchain.Repin{Channel: o.Channel, Pin: c.Pin, Link: o.Link}
	if repin.Files, err = c.filesOfPin(folders(sources)); err != nil {
		return nil, err
	}
	if repin.Also, err = c.filesNaming(o.Channel, sources); err != nil {
		return nil, err
	}
	change := toolchain.RewritePin
	if o.DryRun {
		change = toolchain.Repin.Plan
	}
	done := &Repinned{Unseen: []Unchecked{}}
	if done.Changes, err = change(repin); err != nil {
		return nil, err
	}
	done.Changes = orEmpty(done.Changes)
	for i := range done.Changes {
		done.Changes[i].Path = c.relative(done.Changes[i].Path)
	}
	for _, src := range sources {
		if src.Tree == nil {
			done.Unseen = append(done.Unseen, Unchecked{ToolchainFile, src.Name, src.why, src.fix})
		}
	}
	return done, nil
}

// withPin is the checkout in all release sets that have the same pin.
func (c *Checkout) withPin() []*Checkout {
	all := []*Checkout{c}
	for _, other := range c.Others {
		if other.Pin == c.Pin {
			all = append(all, other)
		}
	}
	return all
}

// filesOfPin are the toolchain files that have to name the pin. Those of the checkout itself, the pin's own apart, name the active set's.
func (c *Checkout) filesOfPin(folders []string) ([]string, error) {
	if slices.ContainsFunc(c.withPin(), func(in *Checkout) bool { return in.Active }) {
		return c.toolchainFiles(folders...)
	}
	files := []string{c.Pin}
	for _, dir := range folders {
		found, err := toolchain.FindToolchainFiles(dir)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

// folders are those of the user's that take the place of sources.
func folders(sources []Source) []string {
	var dirs []string
	for _, src := range sources {
		if src.folder != "" {
			dirs = append(dirs, src.folder)
		}
	}
	return dirs
}

// filesNaming are the other files that have to name the channel, by path, with the text they get.
func (c *Checkout) filesNaming(channel string, sources []Source) (map[string][]byte, error) {
	also := map[string][]byte{}
	if slices.ContainsFunc(c.withPin(), func(in *Checkout) bool { return in.Active }) {
		workflows, err := c.workflows()
		if err != nil {
			return nil, err
		}
		for name, text := range workflows {
			also[c.path(name)] = repinWorkflow(channel, text)
		}
	}
	for name, pin := range c.sourcePins(sources) {
		file := pin.Recipes[0].Path
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		files, err := pin.Files(channel, os.DirFS(c.Patches), c.relative(file), text)
		if err != nil {
			return nil, fmt.Errorf("source of %s: %w", name, err)
		}
		for file, text := range files {
			also[c.path(file)] = text
		}
	}
	return also, nil
}

// sourcePins are the foreign sources that are here, by recipe.
func (c *Checkout) sourcePins(sources []Source) map[string]*sourcePin {
	pins := map[string]*sourcePin{}
	for _, src := range sources {
		if src.folder != "" || src.local || src.Tree == nil {
			continue
		}
		if pins[src.recipe] == nil {
			pins[src.recipe] = &sourcePin{Variant: c.Variant}
			for _, in := range c.withPin() {
				pins[src.recipe].Recipes = append(pins[src.recipe].Recipes, in.Recipes[src.recipe])
			}
		}
		pins[src.recipe].Trees = append(pins[src.recipe].Trees, src.Tree)
	}
	return pins
}
