package builder

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// places gives the files that a compiler's errors name the names under which a person opens them.
type places struct {
	b    *Builder
	r    *recipe.Recipe
	root string // exec root of the command, a path of this machine
	dir  string // where the command's source is, slash path below root; "" is root itself
}

// rename has the errors of a failed command point at files that can be opened: the user's own where the copy that was compiled is the
// same, else that copy.
func (p places) rename(failed *execroot.CommandError) {
	p.root = failed.Root
	for i, m := range failed.Messages {
		failed.Messages[i] = m.Rename(p.file)
		if i == 0 && m.Place.File != "" {
			failed.First = strings.Replace(failed.First, m.Place.File+":", failed.Messages[0].Place.File+":", 1)
		}
	}
}

// file is the path to open for one that the compiler names.
func (p places) file(named string) string {
	for _, known := range remapped() {
		if rest, ok := strings.CutPrefix(named, known.to+"/"); ok && known.from != rootWord {
			return p.existing(filepath.Join(p.b.roots.Expand[known.from], filepath.FromSlash(rest)), named)
		}
	}
	copied := p.copyOf(named)
	if copied == "" {
		return named
	}
	rest, ok := strings.CutPrefix(copied, filepath.Join(p.root, "src")+string(filepath.Separator))
	if !ok {
		return copied
	}
	if own := p.b.sources.UserFile(p.r, filepath.ToSlash(rest)); own != "" && sameContent(own, copied) {
		return own
	}
	return copied
}

// copyOf is the file in the exec root, "" if there is none.
func (p places) copyOf(named string) string {
	if rest, ok := strings.CutPrefix(named, buildFolder+"/"); ok {
		return p.existing(filepath.Join(p.root, filepath.FromSlash(rest)), "")
	}
	if filepath.IsAbs(named) {
		return p.existing(named, "")
	}
	for _, below := range slices.Compact([]string{p.dir, "src", ""}) {
		if found := p.existing(filepath.Join(p.root, filepath.FromSlash(below), filepath.FromSlash(named)), ""); found != "" {
			return found
		}
	}
	return ""
}

func (p places) existing(path, otherwise string) string {
	if _, err := os.Stat(path); err != nil {
		return otherwise
	}
	return path
}

// sameContent tells whether an error's line and column hold for both files.
func sameContent(a, b string) bool {
	one, err := os.ReadFile(a)
	if err != nil {
		return false
	}
	other, err := os.ReadFile(b)
	return err == nil && bytes.Equal(one, other)
}

// remap is a folder whose name the compiler writes in another way.
type remap struct{ from, to string }

// rootWord stands for the exec root in what a compiler is told.
const rootWord = "%{root}"

// buildFolder is what is written for the exec root.
const buildFolder = "/build"

func remapped() []remap {
	return []remap{{rootWord, buildFolder}, {toolenv.RustSrc, "/rustc/std"}}
}
