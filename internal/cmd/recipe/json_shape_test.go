package recipe

import (
	"testing"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "plan", graph.Summarise(nil))
	jsonshape.Check(t, "why", &explained{})
	jsonshape.Check(t, "recipe:list", []listed{})
}
