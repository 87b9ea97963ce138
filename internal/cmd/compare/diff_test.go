package compare

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
)

func realRecipes(t *testing.T) *session.Session {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	recipes, err := recipe.LoadAll(filepath.Join(root, "recipes"))
	if err != nil {
		t.Fatal(err)
	}
	return &session.Session{Config: &config.Config{Root: root}, Recipes: recipes}
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
	tests := &diffTests{s: realRecipes(t)}
	before := len(tests.s.Recipes[defectsRecipe].Files)
	r := tests.withDefects([]string{"asm_sym"})[defectsRecipe]
	var from []string
	for _, f := range r.Files {
		if strings.HasPrefix(f.From, tested+"/") {
			from = append(from, f.From)
		}
	}
	step, _ := r.Step(tested)
	if !slices.Equal(from, []string{"cranelift/asm_sym"}) || !slices.Equal(step.Bins, []string{"asm_sym"}) {
		t.Errorf("files %v, programs %v", from, step.Bins)
	}
	if ref, _ := r.Step(reference); len(ref.Bins) < 2 {
		t.Error("the reference lost programs")
	}
	whole := tests.s.Recipes[defectsRecipe]
	if step, _ := whole.Step(tested); len(whole.Files) != before || len(step.Bins) < 2 {
		t.Error("the recipe itself was changed")
	}
}

func TestReferenceFirst(t *testing.T) {
	programs := []string{"cranelift/ints", "llvm/panics", "cranelift/simd", "llvm/ints", "llvm/abi"}
	slices.SortFunc(programs, byReferenceFirst)
	if want := []string{"llvm/abi", "llvm/ints", "llvm/panics", "cranelift/ints", "cranelift/simd"}; !slices.Equal(programs, want) {
		t.Error(programs)
	}
}
