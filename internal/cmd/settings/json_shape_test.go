package settings

import (
	"testing"

	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "config", []Setting{})
}
