package boottest

import (
	"testing"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "test:boot", []*boottest.Outcome{})
}
