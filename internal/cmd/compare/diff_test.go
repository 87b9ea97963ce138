package compare

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/session"
)

func realRecipes(t *testing.T) *session.Session {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return &session.Session{Config: &config.Config{Root: root, Overrides: "none.toml"}}
}

// Every defect's program is built, and no other.
func TestDefectsAreThoseOfTheRecipe(t *testing.T) {
	expected, err := expectedDifferences(realRecipes(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(expected.Defects) == 0 {
		t.Error("there are none")
	}
}

func TestWithDefects(t *testing.T) {
	recipes, err := realRecipes(t).Recipes()
	if err != nil {
		t.Fatal(err)
	}
	before := len(recipes[defectsRecipe].Files)
	r := withDefects(recipes, []string{"asm_sym"})[defectsRecipe]
	var from []string
	for _, f := range r.Files {
		if strings.HasPrefix(f.From, difftest.Tested+"/") {
			from = append(from, f.From)
		}
	}
	step, _ := r.Step(difftest.Tested)
	if !slices.Equal(from, []string{"cranelift/asm_sym"}) || !slices.Equal(step.Bins, []string{"asm_sym"}) {
		t.Errorf("files %v, programs %v", from, step.Bins)
	}
	if ref, _ := r.Step(difftest.Reference); len(ref.Bins) < 2 {
		t.Error("the reference lost programs")
	}
	whole := recipes[defectsRecipe]
	if step, _ := whole.Step(difftest.Tested); len(whole.Files) != before || len(step.Bins) < 2 {
		t.Error("the recipe itself was changed")
	}
}
