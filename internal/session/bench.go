package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/ui"
)

// rounds is how often each command is timed; the two sides of a ratio take turns, so that a busy machine is
// busy for both. The median counts.
const rounds = 9

// goBenchmark is a benchmark of a package that reports a ratio itself.
type goBenchmark struct {
	what, pkg, name, metric string
	goal                    string
}

var goBenchmarks = []goBenchmark{
	{"packing 40 MB into an image / cat of the same files", "./internal/initfs", "BenchmarkPackAgainstCat", "x-cat", "1.5"},
	{"digest of 4,000 known files / git status", "./internal/cas", "BenchmarkWarmDigestAgainstGitStatus", "x-git", ""},
}

// Bench prints ratios measured in one run, which another machine can repeat: seconds of one machine say
// nothing about another. environ is what the commands get.
func (s *Session) Bench(ctx context.Context, environ []string) error {
	rows := [][]string{{"WHAT", "RATIO", "GOAL", "MEDIANS"}}
	var skipped []string
	for _, recipe := range []string{"demo", "initfs"} {
		found, why, err := s.benchNoChange(ctx, environ, recipe)
		if err != nil {
			return err
		}
		if why != "" {
			skipped = append(skipped, "no-change "+recipe+": "+why)
		}
		rows = append(rows, found...)
	}
	for _, b := range goBenchmarks {
		row, err := s.benchGo(ctx, environ, b)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if err := ui.Table(s.Streams.Out, rows); err != nil {
		return err
	}
	for _, line := range skipped {
		fmt.Fprintln(s.Streams.Out, "left out:", line)
	}
	return nil
}

// benchNoChange times a build with nothing to do against the listing of the targets and against a
// target that does nothing. The two differ: for a listing mage reads the magefiles, for a target it also
// has Go look whether they have to be compiled again. The second ratio is what the build itself costs.
func (s *Session) benchNoChange(ctx context.Context, environ []string, recipe string) (rows [][]string, why string, err error) {
	verdicts, err := s.judged(ctx, recipe)
	if err != nil {
		return nil, firstLine(err.Error()), ctx.Err()
	}
	for _, v := range verdicts {
		if v.State != "up to date" {
			return nil, "it is not up to date (" + v.Node.ID + "): build it first", nil
		}
	}
	build := []string{"recipe:build", recipe}
	if recipe == "initfs" {
		build = []string{"initfs"}
	}
	took := make([][]time.Duration, 3)
	for range rounds + 1 {
		for i, args := range [][]string{build, {"-l"}, {"cache:dir"}} {
			d, err := s.timed(ctx, environ, append([]string{"go", "tool", "mage"}, args...))
			if err != nil {
				return nil, "", err
			}
			took[i] = append(took[i], d)
		}
	}
	var medians []time.Duration
	for _, all := range took {
		medians = append(medians, median(all[1:])) // the first round warms up
	}
	what := fmt.Sprintf("no-change %s (%d steps) / ", recipe, len(verdicts))
	row := func(against string, other time.Duration, goal string) []string {
		return []string{what + against, ratio(medians[0], other), goal, fmt.Sprintf("%d ms / %d ms", medians[0].Milliseconds(), other.Milliseconds())}
	}
	return [][]string{row("mage -l", medians[1], "1.5"), row("mage cache:dir, which does nothing", medians[2], "")}, "", nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }

// timed runs a command in the checkout.
func (s *Session) timed(ctx context.Context, environ []string, args []string) (time.Duration, error) {
	return elapsed(func() error {
		_, err := s.command(ctx, environ, args)
		return err
	})
}

func (s *Session) command(ctx context.Context, environ []string, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.Config.Root, environ, nil
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = io.Writer(&out), io.Writer(&out)
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

// benchGo runs a Go benchmark and picks its ratio.
func (s *Session) benchGo(ctx context.Context, environ []string, b goBenchmark) ([]string, error) {
	out, err := s.command(ctx, environ, []string{"go", "test", "-run", "^$", "-bench", b.name + "$", "-benchtime", "20x", b.pkg})
	if err != nil {
		return nil, err
	}
	found := regexp.MustCompile(`([0-9.]+) ` + regexp.QuoteMeta(b.metric)).FindStringSubmatch(out)
	if found == nil {
		return nil, errors.New(b.name + " reported no " + b.metric + ":\n" + out)
	}
	return []string{b.what, found[1], b.goal, ""}, nil
}
