package builder

import (
	"errors"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// A secret key in a source is not staged, under any name, alone or in a folder; the second try is refused like the first.
func TestSecretKeyIsNotStaged(t *testing.T) {
	key := `salt = "` + strings.Repeat("a1", 32) + "\"\nnonce = \"" + strings.Repeat("b2", 24) + "\"\nskey = \"" + strings.Repeat("c3", 64) + "\"\n"
	b := newBuilder(t, nil)
	put := func(text string) cas.Entry {
		d, err := b.store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return cas.Entry{Digest: d}
	}
	tree := cas.NewTree()
	tree.Entries = map[string]cas.Entry{"src/doc/logo.png": put(key), "src/doc/readme": put("nothing secret"), "src/clean/readme": put("nothing secret")}
	source, err := b.store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	for from, secret := range map[string]string{"doc/logo.png": "usr/file", "doc": "usr/file/logo.png", "clean": "", "doc/readme": ""} {
		n := &graph.Node{ID: "x/source"}
		ref := recipe.Ref{Step: "source", Path: from}
		s := &staging{b: b, r: &recipe.Recipe{Name: "x", Source: recipe.Source{Path: "."}}, files: []stagedFile{{File: recipe.File{From: "source/" + from, To: "usr/file"},
			places: []resolved{{ref: ref, node: n, path: "src/" + from}}}}}
		for range 2 {
			_, err := s.compose(graph.Outputs{n: source})
			var found *secretkey.Error
			if secret == "" && err != nil || secret != "" && (!errors.As(err, &found) || found.Place != secret) {
				t.Errorf("%s: error %v", from, err)
			}
		}
	}
}
