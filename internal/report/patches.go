package report

import (
	"context"
	"slices"

	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/patch"
)

// addPatches lists the series that the image was built with, and those that drift tried besides.
func (c *collector) addPatches(context.Context) error {
	used := map[string]int{}
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, f := range c.patched() {
		for _, name := range f.Patches {
			used[name]++
			add(name)
		}
	}
	if c.Report.Drift != nil {
		for _, s := range c.Report.Drift.Patches {
			add(s.Series)
		}
	}
	for _, name := range names {
		c.Report.Patches = append(c.Report.Patches, c.series(name, used[name]))
	}
	return nil
}

// patched are the files of the image, and its bootstrap.
func (c *collector) patched() []manifest.File {
	if c.manifest == nil {
		return nil
	}
	files := c.manifest.Files
	if b := c.manifest.Image.Bootstrap; b != nil {
		files = append(slices.Clone(files), *b)
	}
	return files
}

func (c *collector) series(name string, files int) Series {
	s := Series{Name: name, Files: files, Patches: []Patch{}}
	if c.Report.Drift != nil {
		for _, state := range c.Report.Drift.Patches {
			if state.Series == name {
				s.States = append(s.States, state)
			}
		}
	}
	if c.Sources.Patches == nil {
		return s
	}
	loaded, err := patch.Load(c.Sources.Patches, name)
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	for _, p := range loaded.Patches {
		s.Patches = append(s.Patches, Patch{p.Name, p.Title, p.Reason, p.Upstream})
	}
	return s
}
