package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// rounds is how often each command is timed; the sides of a ratio take turns, so that a busy machine is
// busy for both. The median counts.
const rounds = 9

// BenchParts are the parts of Bench by the words that choose them.
var BenchParts = []string{"nochange", "oneline", "relibc", "clean", "packages"}

// LongParts are more of them, which take many minutes and are run when they are named.
var LongParts = []string{"initfs", "backends"}

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
		run := map[string]func(context.Context) error{
			"nochange": b.noChange, "oneline": b.oneLine, "relibc": b.relibcLine, "clean": b.clean, "packages": b.packages,
			"initfs": b.cleanInitfs, "backends": b.backends,
		}[part]
		if run == nil {
			return fmt.Errorf("-only names %q; there are %s", part, strings.Join(slices.Concat(BenchParts, LongParts), ", "))
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
	for _, line := range leftOut {
		fmt.Fprintln(s.Streams.Out, line)
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
		b.add(what+"mage -l", medians[0], medians[1], "1.1")
		b.add(what+"mage cache:dir, which does nothing", medians[0], medians[2], "")
	}
	return b.start(ctx)
}

// start times what most other figures leave out: how a target is started, by one that does nothing.
func (b *bench) start(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	medians, err := b.inTurn(ctx, rounds, b.mage("cache:dir"), b.timed(b.checkout(), b.settings(), b.bin, "cache:dir"))
	if err != nil {
		return err
	}
	b.add("go tool mage cache:dir / its binary alone", medians[0], medians[1], "")
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

var benchNote = note{"bench", "Ratios of one run"}

// writeNote writes the ratios down.
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

// saveNote writes a note of today beside all that are there, and a line for it into the index.
func (b *bench) saveNote(n note, text string) error {
	dir := filepath.Join(b.s.Config.Root, "notes")
	name, err := n.free(dir, time.Now())
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, name), []byte(text), 0o644, renameio.WithTempDir(dir)); err != nil {
		return err
	}
	b.s.Say("written to notes/%s", name)
	return n.index(dir, name)
}

// free is a name of the day that no note has: what was measured before stays as it is.
func (n note) free(dir string, day time.Time) (string, error) {
	name := day.Format(time.DateOnly) + "-" + n.suffix
	for more := 1; ; more++ {
		file := name + ".md"
		if more > 1 {
			file = fmt.Sprintf("%s-%d.md", name, more)
		}
		_, err := os.Lstat(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			return file, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// index adds a line for a note.
func (n note) index(dir, name string) error {
	path := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	line := "- [" + n.title + ", " + name[:len(time.DateOnly)] + "](" + name + ")\n"
	return renameio.WriteFile(path, append(text, line...), 0o644, renameio.WithTempDir(dir))
}

// leftOut is what no figure has in it, or not on both sides.
var leftOut = []string{
	"Not in the figures: Mage's start (`go tool mage`, see the row of cache:dir), but for builds with nothing to do, which have it on both sides.",
	"Not in the figures of builds: fetching sources and crates, and what is known of the toolchain, which is there for both sides.",
}

// benchExplained is what a reader of the table has to know.
var benchExplained = "\n" + strings.Join(leftOut, "\n") + `
Cargo alone is the command of the step base/programs, by the script beside its log, in the same folder after the
same change, and links nothing: the program's link is on mage's side alone; "nothing to do" is the same once more. relibc's own compile is the time
of the step relibc/relibc in the same build. The two sides of a ratio take turns, the medians count.
`

// loadAverage tells how busy the machine is, where it says so.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
