package builder

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/recipe"
)

// What a recipe may say and what can be built are two tables: a kind in one alone is accepted and then fails, or never used.
func TestBothTablesHaveTheSameKinds(t *testing.T) {
	built := slices.Sorted(maps.Keys(kinds()))
	if diff := cmp.Diff(slices.Sorted(slices.Values(recipe.Kinds())), built); diff != "" {
		t.Errorf("recipes (-) and builder (+) differ:\n%s", diff)
	}
}
