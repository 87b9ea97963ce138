package disk

import (
	"testing"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "image:ls", []redoxfs.Node{})
}
