package pin

import (
	"testing"

	"github.com/pannous/redox-clif/internal/doctor"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/test/jsonshape"
)

func TestJSONIsWhatThePageSays(t *testing.T) {
	jsonshape.Check(t, "drift", drift.Report{})
	jsonshape.Check(t, "doctor", doctor.Report{})
}
