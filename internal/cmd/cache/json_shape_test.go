package cache

import (
	"testing"

	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "cache:stats", gc.Inventory{})
}
