package bench

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/session"
)

const (
	// changedRecipe and changedFile are the driver whose source is changed, changedStep the step that builds it.
	changedRecipe = "base"
	changedFile   = "randd/src/main.rs"
	changedStep   = "base/programs"
	// changeRounds is how often it is changed on each side.
	changeRounds = 5
)

// prepare makes a copy of the checkout with its targets compiled, so that nothing of what is measured
// gets into this checkout's out/.
func (b *bench) prepare(ctx context.Context) error {
	if b.scratch != "" {
		return nil
	}
	if err := os.MkdirAll(b.s.Config.Cache, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.s.Config.Cache, "bench-*")
	if err != nil {
		return err
	}
	b.scratch, b.bin = dir, filepath.Join(dir, "redox-clif")
	if err := copyCheckout(b.s.Config.Root, b.checkout()); err != nil {
		return err
	}
	_, err = b.command(ctx, b.checkout(), nil, "go", "tool", "mage", "-compile", b.bin)
	return err
}

func (b *bench) checkout() string { return filepath.Join(b.scratch, "checkout") }

// copyCheckout copies what a checkout is made of.
func copyCheckout(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if rel == "out" || rel == ".git" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
}

// settings are those of a run in the copy, with the cache and the overrides of this checkout.
func (b *bench) settings(more ...string) []string {
	all := []string{"REDOX_CACHE=" + b.s.Config.Cache}
	if _, err := os.Stat(b.s.Config.Overrides); err == nil {
		all = append(all, "REDOX_OVERRIDES="+b.s.Config.Overrides)
	}
	return append(all, more...)
}

// oneLine changes a line of a driver again and again, and has it built once by mage and once by cargo alone,
// in the very folder that mage has cargo work in.
func (b *bench) oneLine(ctx context.Context) error {
	_, why, err := b.ready(ctx, "initfs")
	if err != nil {
		return err
	}
	if why != "" {
		b.leaveOut("one-line change in a driver, and cargo with nothing to do: initfs: %s", why)
		return nil
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	source := filepath.Join(b.scratch, changedRecipe)
	if err := b.exportSource(ctx, changedRecipe, source); err != nil {
		return err
	}
	build := b.timed(b.checkout(), b.settings("REDOX_SOURCE_BASE="+source), b.bin, "initfs")
	change, err := newChange(filepath.Join(source, changedFile))
	if err != nil {
		return err
	}
	b.s.Say("building a driver with one changed line, %d times by mage and by cargo alone", changeRounds+1)
	if _, err := change.and(build)(ctx); err != nil { // this leaves the script
		return err
	}
	script := b.script(changedStep)
	root, err := execRootOf(script)
	if err != nil {
		b.leaveOut("one-line change in a driver: %v", err)
		return nil
	}
	alone := *change
	alone.file = filepath.Join(root, "src", changedFile)
	cargo := b.timed(b.checkout(), nil, "sh", script)
	medians, err := b.inTurn(ctx, changeRounds, change.and(build), alone.and(cargo), cargo, b.mage("initfs"), b.mage("cache:dir"))
	if err != nil {
		return err
	}
	ours, theirs, nothing, noChange, start := medians[0], medians[1], medians[2], medians[3], medians[4]
	b.add("one line of a driver, to the image / cargo alone", ours, theirs, "+0.25 s")
	b.addSeconds(ours - theirs)
	b.add("no-change initfs beyond mage's start-up / cargo with nothing to do in base", max(noChange-start, 0), nothing, "0.5")
	return nil
}

// addSeconds adds a difference to the ratio of the last row.
func (b *bench) addSeconds(d time.Duration) {
	last := &b.rows[len(b.rows)-1]
	last.ratio += fmt.Sprintf(" (%+.2f s)", d.Seconds())
}

// exportSource writes a recipe's source out, as upstream or an override has it.
func (b *bench) exportSource(ctx context.Context, recipe, dir string) error {
	built, err := b.s.Build(ctx, session.BuildOptions{Quiet: true}, func(builder *builder.Builder) ([]*graph.Node, error) {
		n, err := builder.Sources().Source(recipe)
		return []*graph.Node{n}, err
	})
	if err != nil || built == nil {
		return err
	}
	return b.s.Store.Materialise(ctx, built.Output(0), dir, nil, nil)
}

var targetDir = regexp.MustCompile(`CARGO_TARGET_DIR=([^'\s]+)/target\b`)

// execRootOf is the folder that a step's script works in.
func execRootOf(script string) (string, error) {
	text, err := os.ReadFile(script)
	if err != nil {
		return "", err
	}
	found := targetDir.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%s names no target folder", filepath.Base(script))
	}
	return string(found[1]), nil
}

// change is a source file that gets another last line each time.
type change struct {
	file   string
	before []byte
	count  int
}

func newChange(file string) (*change, error) {
	before, err := os.ReadFile(file)
	return &change{file: file, before: before}, err
}

// and changes the file, which takes no time, before it has something built.
func (c *change) and(build timing) timing {
	return func(ctx context.Context) (time.Duration, error) {
		c.count++
		line := fmt.Appendf(nil, "\n#[used]\nstatic BENCH: &str = \"%s %d %d\";\n", c.file, time.Now().UnixNano(), c.count)
		if err := os.WriteFile(c.file, append(append([]byte{}, c.before...), line...), 0o644); err != nil {
			return 0, err
		}
		return build(ctx)
	}
}

// clean builds the demo from nothing twice: with the standard library prepared once, and with every cargo
// building its own. What was downloaded and what is known of the toolchain is there for both.
func (b *bench) clean(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var took []time.Duration
	for _, std := range []builder.StdMode{builder.StdShared, builder.StdBuild} {
		cache, err := b.cacheWith(b.s.Config.Cache, "toolchains", "cargo-home")
		if err != nil {
			return err
		}
		b.s.Say("building the demo from nothing with std=%s", std)
		d, err := b.timed(b.checkout(), b.settings("REDOX_CACHE="+cache), b.bin, "recipe:build", "demo", "-std="+string(std))(ctx)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	b.add("clean demo with -Zbuild-std everywhere / with the shared std", took[1], took[0], "2.5")
	return nil
}
