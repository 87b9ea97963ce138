package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/trace"
	"github.com/pannous/redox-clif/internal/ui"
)

// initfsParts are the steps that compile what the real initfs is made of, in an order in which somebody without this project would do
// it: each by a cargo of its own that builds the standard library for it.
var initfsParts = []string{"relibc/relibc", "libm/libm", "bootstrap/lib", "base/programs", "redoxfs/redoxfs"}

// aloneRecipe is the recipe that is built alone, aloneStep what compiles it.
const aloneRecipe, aloneStep = "redoxfs", "redoxfs/redoxfs"

// cleanInitfs builds the real initfs from nothing, and its five parts by plain cargo, one after the other; then one recipe alone, without and with a
// prepared standard library. It takes some 20 minutes on two processors and is asked for by name only.
func (b *bench) cleanInitfs(ctx context.Context) error {
	_, why, err := b.ready(ctx, "initfs") // what it fetches is there then
	if err != nil {
		return err
	}
	if why != "" {
		b.leaveOut("the initfs from nothing: %s", why)
		return nil
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	cache, err := b.cacheWith(b.s.Config.Cache, "sources", "toolchains", "cargo-home")
	if err != nil {
		return err
	}
	settings := b.settings("REDOX_CACHE=" + cache)
	b.s.Say("building the initfs from nothing")
	clean, err := b.timed(b.checkout(), settings, b.bin, "initfs")(ctx)
	if err != nil {
		return err
	}
	chain, err := b.criticalPath(ctx, settings)
	if err != nil {
		return err
	}
	b.s.Say("from nothing: %s, its critical path %s; now the same by cargo alone", ui.Seconds(clean), ui.Seconds(chain))
	alone, err := b.byCargoAlone(ctx, settings)
	if err != nil {
		return err
	}
	var plain time.Duration
	for _, d := range alone {
		plain += d
	}
	what := fmt.Sprintf("the initfs from nothing / its %d parts by cargo alone with -Zbuild-std, one after the other", len(initfsParts))
	b.add(what, clean, plain, "0.55; 0.45 without LLVM")
	b.add("its critical path / all of it", chain, clean, "")
	return b.aloneInCopies(ctx, cache, alone[aloneStep])
}

// byCargoAlone times the compiling of each part by the command of its step in the mode in which cargo builds the standard library, where cargo
// has nothing from before.
func (b *bench) byCargoAlone(ctx context.Context, settings []string) (map[string]time.Duration, error) {
	b.s.Say("building once with -Zbuild-std, which leaves the commands")
	if _, err := b.command(ctx, b.checkout(), settings, b.bin, "initfs", "-std="+string(builder.StdBuild)); err != nil {
		return nil, err
	}
	took := map[string]time.Duration{}
	for _, step := range initfsParts {
		script := b.script(step)
		root, err := execRootOf(script)
		if err != nil {
			return nil, err
		}
		if err := os.RemoveAll(filepath.Join(root, "target")); err != nil {
			return nil, err
		}
		if took[step], err = b.timed(b.checkout(), nil, "sh", script)(ctx); err != nil {
			return nil, err
		}
		b.s.Say("%s by cargo alone: %s", step, ui.Seconds(took[step]))
	}
	return took, nil
}

// aloneInCopies times the build of a recipe alone in copies of a cache without its results, and without the standard library in one.
func (b *bench) aloneInCopies(ctx context.Context, cache string, plain time.Duration) error {
	for _, c := range []struct {
		what, goal string
		left       func(step string) bool
	}{
		{"without a prepared standard library", "1.0", func(step string) bool { return strings.HasPrefix(step, "std/") || isStep(step, aloneStep) }},
		{"with a prepared standard library", "", func(step string) bool { return isStep(step, aloneStep) }},
	} {
		copied, err := b.cacheWithout(cache, c.left)
		if err != nil {
			return err
		}
		b.s.Say("building %s alone, %s", aloneRecipe, c.what)
		d, err := b.timed(b.checkout(), b.settings("REDOX_CACHE="+copied), b.bin, "recipe:build", aloneRecipe)(ctx)
		if err != nil {
			return err
		}
		b.add(fmt.Sprintf("%s alone, %s / by cargo alone with -Zbuild-std", aloneRecipe, c.what), d, plain, c.goal)
	}
	return nil
}

// script is that of a step of the copy.
func (b *bench) script(step string) string {
	return filepath.Join(b.out(), "log", graph.ScriptName(step))
}

// out is where a build in the copy leaves its results.
func (b *bench) out() string { return filepath.Join(b.checkout(), "out", b.s.Config.Target) }

// criticalPath is how long the longest chain of steps of the last build from nothing took.
func (b *bench) criticalPath(ctx context.Context, settings []string) (time.Duration, error) {
	text, err := b.command(ctx, b.checkout(), settings, b.bin, "graph", "-recipe=initfs", "-format=json")
	if err != nil {
		return 0, err
	}
	return criticalIn(text)
}

// criticalIn reads what mage graph printed, with what it said before.
func criticalIn(text string) (time.Duration, error) {
	var found struct {
		Critical graph.CriticalPath `json:"critical_path"`
	}
	if at := strings.Index(text, "{\n"); at < 0 {
		return 0, errors.New("mage graph printed no JSON")
	} else if err := ui.ReadJSON([]byte(text[at:]), "graph", &found); err != nil {
		return 0, fmt.Errorf("reading what mage graph printed: %w", err)
	}
	return time.Duration(found.Critical.TotalMillis) * time.Millisecond, nil
}

const (
	// relibcRecipe and relibcFile are the C library whose source is changed, relibcStep what compiles it.
	relibcRecipe, relibcFile, relibcStep = "relibc", "src/header/stdlib/mod.rs", "relibc/relibc"
	// relibcRounds is how often.
	relibcRounds = 2
)

// relibcLine changes a line of the C library and has the image built: what that takes beyond compiling the library.
func (b *bench) relibcLine(ctx context.Context) error {
	_, why, err := b.ready(ctx, "initfs")
	if err != nil {
		return err
	}
	if why != "" {
		b.leaveOut("one-line change in relibc: initfs: %s", why)
		return nil
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	source := filepath.Join(b.scratch, relibcRecipe)
	if err := b.exportSource(ctx, relibcRecipe, source); err != nil {
		return err
	}
	change, err := newChange(filepath.Join(source, relibcFile))
	if err != nil {
		return err
	}
	b.s.Say("building the initfs with one changed line in relibc, %d times", relibcRounds+1)
	build := change.and(b.timed(b.checkout(), b.settings("REDOX_SOURCE_RELIBC="+source), b.bin, "initfs"))
	var whole, own []time.Duration
	for round := range relibcRounds + 1 { // the first has cargo compile what it has not in this folder
		d, err := build(ctx)
		if err != nil {
			return err
		}
		steps, err := stepTimes(filepath.Join(b.out(), trace.FileName))
		if err != nil {
			return err
		}
		if round > 0 {
			whole, own = append(whole, d), append(own, steps[relibcStep])
		}
	}
	b.add("one line of relibc, to the image / relibc's own compile", median(whole), median(own), "+5 s")
	b.addSeconds(median(whole) - median(own))
	return nil
}

// stepTimes are how long the steps of a build took, by the trace that it left.
func stepTimes(path string) (map[string]time.Duration, error) {
	f, err := trace.Read(path)
	if err != nil {
		return nil, err
	}
	took := map[string]time.Duration{}
	for _, e := range f.Events {
		took[e.Name] += time.Duration(e.Dur) * time.Microsecond
	}
	return took, nil
}
