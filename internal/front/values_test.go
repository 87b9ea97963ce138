package front

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cmd/bench"
	"github.com/pannous/redox-clif/internal/cmd/recipe"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/remotesetting"
	"github.com/pannous/redox-clif/internal/rustbuild"
)

// The front knows values by heart, so that a start need not load what has to do with them.
func TestValuesAreThoseThatTheTargetsTake(t *testing.T) {
	var machines []string
	for _, p := range qemu.Profiles() {
		machines = append(machines, p.Name)
	}
	for key, want := range map[string][]string{
		"run machine":          machines,
		"graph format":         recipe.GraphFormats,
		"bench only":           slices.Concat(bench.BenchParts, bench.LongParts),
		"remote":               remotesetting.Modes(),
		"std":                  {string(builder.StdShared), string(builder.StdBuild)},
		"toolchain:build llvm": {string(rustbuild.SystemLLVM), string(rustbuild.BootstrapLLVM)},
	} {
		if got := params[key].oneOf; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// Where steps leave their traces, and under which names, is for package graph to say.
func TestStepsAreFoundWhereTheyLeaveTraces(t *testing.T) {
	f := world(t)
	out := filepath.Join(f.checkout.root, "out", "t-redox")
	const step = "base/strip/lib/drivers/nvmed"
	if err := graph.OpenHistory(filepath.Join(out, "state", "seed", "nodes")).Put(step, &graph.Record{Action: &action.Action{Args: []string{"x"}}}); err != nil {
		t.Fatal(err)
	}
	if got := f.checkout.steps(); !slices.Contains(got, step) || !slices.Contains(got, "std/vendor") {
		t.Errorf("%q", got)
	}
	for _, step := range f.checkout.logs("base") {
		if name := graph.LogName("base/" + step); !slices.Contains(f.checkout.glob("out/t-redox/log/*.log"), "out/t-redox/log/"+name) {
			t.Errorf("%s is no log", name)
		}
	}
}
