package builder

import (
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

func TestWhatASourceHasNotIsNamedWithTheReason(t *testing.T) {
	b := newBuilder(t, nil)
	tree := cas.NewTree()
	for name, text := range map[string]string{"src/.gitmodules": "[submodule \"i\"]\npath = ext/inner\nurl = ../i\n", "src/f": ""} {
		d, err := b.store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tree.Entries[name] = cas.Entry{Digest: d}
	}
	tree.Entries["src/ext/inner"] = cas.Entry{Dir: true}
	root, err := b.store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	ws := &graph.Node{ID: "x/workspace"}
	for path, want := range map[string]string{
		"nothing":       `"source/nothing": the source has no nothing`,
		"ext/inner/x":   "ext/inner is a git submodule, whose folder is empty until [source.submodules] of the recipe lists it with git and commit",
		"ext/inner-two": `"source/ext/inner-two": the source has no ext/inner-two`,
	} {
		ref := recipe.Ref{Step: "source", Path: path}
		_, _, err := b.find(graph.Outputs{ws: root}, []resolved{{ref, ws, "src/" + path}}, "source/"+path)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
