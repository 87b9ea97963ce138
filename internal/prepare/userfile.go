package prepare

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// UserFile is the file on this machine that a file of a prepared workspace was read from, given by its slash path below the source: in the
// recipe's folder, in an override's, or in that of what takes the place of a dependency. "" is for what comes from a fetched source or
// is none of a source. Patches may have changed the copy.
func (s *Sources) UserFile(r *recipe.Recipe, at string) string {
	if rest, ok := strings.CutPrefix(at, path.Join(r.Cargo.Dir, cargoedit.DepsFolder)+"/"); ok {
		folder, below, _ := strings.Cut(rest, "/")
		return s.dependencyFile(r, folder, below)
	}
	origin, err := s.Origin(r)
	if err != nil {
		return ""
	}
	res, err := s.Resolved(origin)
	if err != nil {
		return ""
	}
	return fileOf(res, at)
}

// fileOf is the file of a folder that a source is read from, or of one that a submodule is.
func fileOf(res *source.Resolved, at string) string {
	for sub, of := range res.Submodules {
		if below, ok := strings.CutPrefix(at, sub+"/"); ok {
			return fileOf(of, below)
		}
	}
	if dir, ok := res.Source.(source.Path); ok {
		return filepath.Join(string(dir), filepath.FromSlash(at))
	}
	return ""
}

// dependencyFile is a file of what a workspace has in place of one of its dependencies.
func (s *Sources) dependencyFile(r *recipe.Recipe, folder, below string) string {
	for _, name := range r.Cargo.Replace {
		if name == folder {
			return s.fileOfRecipe(name, below)
		}
	}
	for _, name := range r.Cargo.Patch {
		if "crate-"+name == folder {
			return s.fileOfRecipe(name, below)
		}
	}
	for _, url := range s.o.Overrides.GitURLs() {
		if o, ok := s.o.Overrides.GitDependency(url); ok && o.Dir != "" && o.Commit == "" && overrideFolder(url) == folder {
			return filepath.Join(o.Dir, filepath.FromSlash(below))
		}
	}
	return ""
}

func (s *Sources) fileOfRecipe(name, at string) string {
	r, err := s.recipe(name)
	if err != nil {
		return ""
	}
	return s.UserFile(r, at)
}
