package recipe

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
	"github.com/pannous/redox-clif/internal/ui"
)

// diamond is a graph in which one step is needed twice.
func diamond() []graph.Verdict {
	std := &graph.Node{ID: "std"}
	lib := &graph.Node{ID: "lib", Deps: []*graph.Node{std}}
	app := &graph.Node{ID: "app", Deps: []*graph.Node{lib, std}}
	image := &graph.Node{ID: "image", Deps: []*graph.Node{app, lib}}
	act := &action.Action{Args: []string{"cargo", "build"}}
	return []graph.Verdict{
		{Node: std, State: "up to date", Action: act},
		{Node: lib, State: "run", Reason: "argument -v is new", Estimate: 90 * time.Second, Action: act},
		{Node: app, State: "depends", Reason: "on the outputs of lib", Estimate: 2 * time.Second},
		{Node: image, State: "depends", Reason: "on the outputs of app, lib"},
	}
}

func TestTreeNamesWhatWasSeenOnce(t *testing.T) {
	var out bytes.Buffer
	if err := writeTree(&out, diamond()); err != nil {
		t.Fatal(err)
	}
	want := `image [depends]
├─ app [depends]
│  ├─ lib [run]
│  │  └─ std
│  └─ std
└─ lib [run] (above)
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestDOT(t *testing.T) {
	var out bytes.Buffer
	if err := writeDOT(&out, diamond()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"digraph build {", `"lib" [fillcolor="#ffd9b0"];`, `"image" -> "app";`, `"app" -> "std";`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in\n%s", want, out.String())
		}
	}
}

func TestGraphJSON(t *testing.T) {
	var out bytes.Buffer
	if err := writeJSON(&out, diamond()); err != nil {
		t.Fatal(err)
	}
	var back graph.PlanSummary
	if err := ui.ReadJSON(out.Bytes(), "graph", &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Steps) != 4 || back.Steps[1].LastMillis != 90000 || back.Steps[1].Action == "" || !cmp.Equal(back.Steps[2].Needs, []string{"lib", "std"}) {
		t.Errorf("%+v", back.Steps)
	}
}

func TestPlanTable(t *testing.T) {
	out := &bytes.Buffer{}
	if err := ui.WritePlan(out, graph.Summarise(diamond())); err != nil {
		t.Fatal(err)
	}
	want := `STEP   STATE    LAST TIME  REASON
lib    run      1m30s      argument -v is new
app    depends  2.0s       on the outputs of lib
image  depends             on the outputs of app, lib
1 of 4 steps would run (1m30s of work the last time), and up to 2 more (2.0s of work the last time) if outputs change
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWhyTellsWhatWasNewAndWhatIs(t *testing.T) {
	s, out := sessiontest.New(t)
	before, now := &action.Action{Args: []string{"cc", "-O1"}}, &action.Action{Args: []string{"cc", "-O2"}}
	if err := s.History.Put("lib", &graph.Record{Action: now, Previous: before, When: time.Unix(0, 0)}); err != nil {
		t.Fatal(err)
	}
	verdicts := diamond()
	verdicts[1].Action = now
	verdicts[1].State, verdicts[1].Reason = "up to date", ""
	printExplained(out, explainStep(s, verdicts[1], verdicts))
	if !strings.Contains(out.String(), "what was new in that build") || !strings.Contains(out.String(), "argument -O2 is new") {
		t.Errorf("up to date:\n%s", out)
	}
	out.Reset()
	verdicts[1].Action, verdicts[1].State = &action.Action{Args: []string{"cc", "-O2", "-g"}}, "run"
	// image itself is not known yet; what it waits for is told.
	printExplained(out, explainStep(s, verdicts[3], verdicts))
	if !strings.Contains(out.String(), "image: depends") || !strings.Contains(out.String(), "argument -g is new") || strings.Contains(out.String(), "-O1") {
		t.Errorf("depends:\n%s", out)
	}
}

func TestWhyOfARecipeCountsWhatMayFollow(t *testing.T) {
	s, out := sessiontest.New(t)
	printExplained(out, explainRecipe(s, "image", diamond()))
	if !strings.Contains(out.String(), "2 more steps run if outputs") || !strings.Contains(out.String(), "mage plan -recipe=image") {
		t.Errorf("%s", out)
	}
}
