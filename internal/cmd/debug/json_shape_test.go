package debug

import (
	"testing"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "symbolise", []crash.Stack{})
}
