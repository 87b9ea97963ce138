package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// rounds is how often each command is timed; the sides of a ratio take turns, so that a busy machine is
// busy for both. The median counts.
const rounds = 9

// BenchParts are the parts of Bench by the words that choose them; "backends" is one more, which is never in all.
var BenchParts = []string{"nochange", "oneline", "clean", "packages"}

// benchRow is one ratio.
type benchRow struct {
	what, ratio, goal, medians string
}

// bench is one run of Bench.
type bench struct {
	s       *session.Session
	environ []string
	rows    []benchRow
	skipped []string
	scratch string // made by the first part that needs it
	bin     string // the targets, compiled in scratch
}

// Run measures ratios, each of them in one run: seconds of one machine say nothing about another. It prints
// them and writes them to notes/. environ is what the commands get; only names parts of BenchParts, "" means all.
func Run(ctx context.Context, s *session.Session, environ []string, only string) error {
	parts := BenchParts
	if only != "" {
		parts = strings.Split(only, ",")
	}
	b := &bench{s: s, environ: environ}
	defer b.close()
	load := loadAverage()
	for _, part := range parts {
		run := map[string]func(context.Context) error{"nochange": b.noChange, "oneline": b.oneLine, "clean": b.clean, "packages": b.packages, "backends": b.backends}[part]
		if run == nil {
			return fmt.Errorf("-only names %q; there are %s", part, strings.Join(append(slices.Clone(BenchParts), "backends"), ", "))
		}
		if err := run(ctx); err != nil {
			return err
		}
	}
	rows := [][]string{{"WHAT", "RATIO", "GOAL", "MEDIANS"}}
	for _, r := range b.rows {
		rows = append(rows, []string{r.what, r.ratio, r.goal, r.medians})
	}
	if err := ui.Table(s.Streams.Out, rows); err != nil {
		return err
	}
	for _, line := range b.skipped {
		fmt.Fprintln(s.Streams.Out, "left out:", line)
	}
	if only != "" {
		return nil // part of the figures is no note
	}
	return b.writeNote(ctx, load)
}

func (b *bench) close() {
	if b.scratch != "" {
		_ = os.RemoveAll(b.scratch)
	}
}

func (b *bench) leaveOut(format string, args ...any) {
	b.skipped = append(b.skipped, fmt.Sprintf(format, args...))
}

func (b *bench) add(what string, ours, theirs time.Duration, goal string) {
	b.rows = append(b.rows, benchRow{what, ratio(ours, theirs), goal, fmt.Sprintf("%s / %s", millis(ours), millis(theirs))})
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// nothingToDo is what a build says when it was one of nothing, with the number of steps.
var nothingToDo = regexp.MustCompile(`all (\d+) steps are up to date`)

// buildOf is the target that builds a recipe as far as its image.
func buildOf(recipe string) []string {
	if recipe == "initfs" {
		return []string{"initfs"}
	}
	return []string{"recipe:build", recipe}
}

// ready builds a recipe, by the command that is measured, until there is nothing to do. why is what keeps it
// from being measured, "" when nothing does.
func (b *bench) ready(ctx context.Context, recipe string) (steps, why string, err error) {
	b.s.Say("bringing %s up to date", recipe)
	for range 2 { // the first time it may have something to do
		out, err := b.command(ctx, b.s.Config.Root, nil, b.target(buildOf(recipe)...)...)
		if err != nil {
			return "", problemIn(out, err), ctx.Err()
		}
		if found := nothingToDo.FindStringSubmatch(out); found != nil {
			return found[1], "", nil
		}
	}
	return "", "it has something to do each time it is built", nil
}

// problemIn is the line of a target's output that says what went wrong.
func problemIn(out string, err error) string {
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, "Error: "); ok {
			return strings.TrimSpace(text)
		}
	}
	return errs.FirstLine(err.Error())
}

// noChange times builds with nothing to do against the listing of the targets and against a target that does
// nothing. The two differ: for a listing mage reads the magefiles, for a target it looks whether they
// have to be compiled again.
func (b *bench) noChange(ctx context.Context) error {
	for _, recipe := range []string{"demo", "initfs"} {
		steps, why, err := b.ready(ctx, recipe)
		if err != nil {
			return err
		}
		if why != "" {
			b.leaveOut("no-change %s: %s", recipe, why)
			continue
		}
		b.s.Say("timing builds of %s with nothing to do", recipe)
		medians, err := b.inTurn(ctx, rounds, b.mage(buildOf(recipe)...), b.mage("-l"), b.mage("cache:dir"))
		if err != nil {
			return err
		}
		what := fmt.Sprintf("no-change %s (%s steps) / ", recipe, steps)
		b.add(what+"mage -l", medians[0], medians[1], "1.5")
		b.add(what+"mage cache:dir, which does nothing", medians[0], medians[2], "")
	}
	return nil
}

// timing runs something and tells how long the part of it that counts took.
type timing func(ctx context.Context) (time.Duration, error)

// inTurn runs each of several things n times and returns their medians. One round before warms up.
func (b *bench) inTurn(ctx context.Context, n int, all ...timing) ([]time.Duration, error) {
	took := make([][]time.Duration, len(all))
	for round := range n + 1 {
		for i, run := range all {
			d, err := run(ctx)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				took[i] = append(took[i], d)
			}
		}
	}
	medians := make([]time.Duration, len(all))
	for i := range took {
		medians[i] = median(took[i])
	}
	return medians, nil
}

// mage is a target of this checkout, as its user calls it.
func (b *bench) mage(args ...string) timing {
	return b.timed(b.s.Config.Root, nil, b.target(args...)...)
}

func (b *bench) target(args ...string) []string {
	return append([]string{"go", "tool", "mage"}, args...)
}

// timed is a command in a folder with settings over the user's environment.
func (b *bench) timed(dir string, settings []string, args ...string) timing {
	return func(ctx context.Context) (time.Duration, error) {
		return elapsed(func() error {
			_, err := b.command(ctx, dir, settings, args...)
			return err
		})
	}
}

func (b *bench) command(ctx context.Context, dir string, settings []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, slices.Concat(b.environ, settings), nil
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = io.Writer(&out), io.Writer(&out)
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }

// goBenchmarks are benchmarks of packages that report a ratio themselves.
var goBenchmarks = []struct{ what, pkg, name, metric, goal string }{
	{"packing 40 MB into an image / cat of the same files", "./internal/initfs", "BenchmarkPackAgainstCat", "x-cat", "1.5"},
	{"digest of a source tree of 4,000 known files / git status", "./internal/cas", "BenchmarkWarmDigestAgainstGitStatus", "x-git", ""},
}

func (b *bench) packages(ctx context.Context) error {
	for _, g := range goBenchmarks {
		out, err := b.command(ctx, b.s.Config.Root, nil, "go", "test", "-run", "^$", "-bench", g.name+"$", "-benchtime", "20x", g.pkg)
		if err != nil {
			return err
		}
		found := regexp.MustCompile(`([0-9.]+) ` + regexp.QuoteMeta(g.metric)).FindStringSubmatch(out)
		if found == nil {
			return errors.New(g.name + " reported no " + g.metric + ":\n" + out)
		}
		b.rows = append(b.rows, benchRow{g.what, found[1], g.goal, ""})
	}
	return nil
}

// note is what a bench's note is called: the end of its name, and its title in the index.
type note struct{ suffix, title string }

var benchNote = note{"-bench.md", "Ratios of one run"}

// writeNote puts the ratios in place of those that are in notes/.
func (b *bench) writeNote(ctx context.Context, load string) error {
	t, err := b.s.Toolchain(ctx)
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# Ratios of one run\n\nWritten by `mage bench`: %d processors, load average %s at the start, %s", runtime.NumCPU(), load, t.Name())
	if b.s.Config.Backends != "" {
		fmt.Fprintf(&text, ", backends `%s`", b.s.Config.Backends)
	}
	text.WriteString(".\n\n" + table("medians", b.rows))
	for _, line := range b.skipped {
		fmt.Fprintf(&text, "\nLeft out: %s.\n", line)
	}
	text.WriteString(benchExplained)
	return b.saveNote(benchNote, text.String())
}

// table is rows in Markdown; figures heads the last column.
func table(figures string, rows []benchRow) string {
	var text strings.Builder
	fmt.Fprintf(&text, "| what | ratio | goal | %s |\n|---|---|---|---|\n", figures)
	for _, r := range rows {
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", r.what, r.ratio, r.goal, r.medians)
	}
	return text.String()
}

// saveNote writes a note of today in place of older ones of its kind.
func (b *bench) saveNote(n note, text string) error {
	dir := filepath.Join(b.s.Config.Root, "notes")
	name := time.Now().Format(time.DateOnly) + n.suffix
	if err := n.replace(dir, name); err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, name), []byte(text), 0o644, renameio.WithTempDir(dir)); err != nil {
		return err
	}
	b.s.Say("written to notes/%s", name)
	return nil
}

// benchExplained is what a reader of the table has to know.
const benchExplained = `
Mage itself runs the go command before every target; ` + "`go tool mage`" + ` here is internal/tool/targets, which compiles only when
the stat of a source has changed. "Beyond mage's start-up" is what is left of a build when the time of ` + "`mage cache:dir`" + `
is taken away. Cargo alone is the command of the step base/programs, by the script beside its log, in the same folder after the
same change, and links nothing: the program's link is on mage's side alone; "nothing to do" is the same once more. The two sides of a ratio take turns, the medians count.
`

// replace removes older notes of the kind and points the index to the new one.
func (n note) replace(dir, name string) error {
	old, err := globdir.In(dir, "*"+n.suffix)
	if err != nil {
		return err
	}
	index := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(index)
	if err != nil {
		return err
	}
	updated := string(text)
	for _, path := range old {
		if base := filepath.Base(path); base != name {
			updated = strings.ReplaceAll(updated, "("+base+")", "("+name+")")
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	if !strings.Contains(updated, "("+name+")") {
		updated += "- [" + n.title + "](" + name + ")\n"
	}
	if updated == string(text) {
		return nil
	}
	return renameio.WriteFile(index, []byte(updated), 0o644, renameio.WithTempDir(dir))
}

// loadAverage tells how busy the machine is, where it says so.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
