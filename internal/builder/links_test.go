package builder

import (
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
)

func TestLinksAreRelativeNamesOfOneFile(t *testing.T) {
	s := &staging{b: New(Options{}), r: &recipe.Recipe{Name: "coreutils"}}
	tree, m := cas.NewTree(), &manifest.Manifest{}
	f := stagedFile{File: recipe.File{From: "coreutils/coreutils", To: "usr/bin/coreutils", Links: []string{"usr/bin/ls", "bin/cat"}}}
	if err := s.placeLinks(tree, m, f); err != nil {
		t.Fatal(err)
	}
	for link, want := range map[string]string{"usr/bin/ls": "coreutils", "bin/cat": "../usr/bin/coreutils"} {
		if got := tree.Entries[link]; got.Link != want || got.Executable {
			t.Errorf("%s is %+v, want a link to %s", link, got, want)
		}
	}
	if len(m.Files) != 2 || m.Files[0].Link == "" {
		t.Errorf("the manifest says %+v", m.Files)
	}
	if err := s.placeLinks(tree, m, f); err == nil {
		t.Error("a name can be given twice")
	}
}
