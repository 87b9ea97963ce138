package boottest

import (
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
	"github.com/pannous/redox-clif/internal/ui"
)

// One document, whatever became of the tests.
func TestJSONOfTestsThatCannotBeRun(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{
		"images/boot/bad.toml": "sillence = 3\n", "images/boot/good.toml": "[[step]]\nwait = 'x'\n",
	})
	out := &strings.Builder{}
	for name, want := range map[string]map[string]string{
		"all":  {"bad": "sillence", "good": "no image to run"},
		"none": {"none": "there is no such test; there are bad, good"},
	} {
		out.Reset()
		s.Streams.Out = out
		err := Run(t.Context(), s, name, Flags{JSON: true})
		var got []boottest.Outcome
		if err := ui.ReadJSON([]byte(out.String()), "test:boot", &got); err != nil || len(got) != len(want) {
			t.Fatalf("%s: %v in %s", name, err, out)
		}
		for _, o := range got {
			if o.Passed || want[o.Name] == "" || !strings.Contains(o.Problem, want[o.Name]) {
				t.Errorf("%s: %+v", name, o)
			}
			if err == nil || !strings.Contains(err.Error(), "boot test "+o.Name+": "+o.Problem) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
}
