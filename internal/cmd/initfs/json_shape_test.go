package initfs

import (
	"testing"

	"github.com/pannous/redox-clif/internal/purity"
	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "initfs:ls", listing{})
	jsonshape.Check(t, "purity", purity.Report{})
}
