package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/relibctest"
	"github.com/pannous/redox-clif/internal/ui"
)

const (
	// relibcBoots bounds how often the guest is booted anew after a test has ended it.
	relibcBoots = 12
	// relibcSilence is how long the guest may say nothing beside the time of the longest test: a slow start.
	relibcSilence = 150 * time.Second
	// relibcAgain is how many tests may be run a second time when they come out otherwise than they should.
	relibcAgain = 40
)

// planned is one line of a plan.
type planned struct{ name, backend string }

// run runs all tests, and once more those that came out as nobody expects: an emulated machine on a busy host is late
// at times, and what counts is what stays.
func (t *relibcTests) run(ctx context.Context) ([]relibctest.Case, error) {
	if err := t.runAll(ctx, t.names()); err != nil {
		return nil, err
	}
	cases := t.judge()
	var again []string
	for _, c := range cases {
		if c.Unexpected() && c.Verdict != relibctest.NotCompiled {
			again = append(again, c.Name)
		}
	}
	if len(again) == 0 || len(again) > relibcAgain {
		return cases, nil
	}
	t.s.Say("running %d tests again that came out as they should not: %s", len(again), strings.Join(again, ", "))
	if err := t.runAll(ctx, again); err != nil {
		return nil, err
	}
	repeated := t.judge()
	for i := range repeated {
		repeated[i].Again = cases[i].Unexpected() && !repeated[i].Unexpected()
	}
	return repeated, nil
}

func (t *relibcTests) judge() []relibctest.Case {
	var cases []relibctest.Case
	for _, name := range t.names() {
		cases = append(cases, relibctest.Judge(*t.tests[name], t.list))
	}
	return cases
}

// runAll boots until every test that can be run was run, or the guest was booted too often.
func (t *relibcTests) runAll(ctx context.Context, names []string) error {
	var rest []planned
	for _, name := range names {
		test := t.tests[name]
		if k := t.list.Of(name); k != nil && k.What == relibctest.NotRun || len(test.Refused) > 0 {
			continue
		}
		clear(test.Results)
		rest = append(rest, planned{name, relibctest.Reference}, planned{name, relibctest.Tested})
	}
	torn := map[planned]bool{}
	for first := t.boots; len(rest) > 0 && t.boots-first < relibcBoots; {
		run, err := t.boot(ctx, rest)
		if err != nil {
			return err
		}
		rest = t.take(run, rest, torn)
	}
	return nil
}

// take keeps the results of a boot and returns what is left to run.
func (t *relibcTests) take(run *relibctest.Run, plan []planned, torn map[planned]bool) []planned {
	var again []planned
	reached := len(plan)
	if !run.Done && run.Open > 0 {
		reached = min(run.Open, len(plan)) // a number from a serial line may be any
	}
	for i, p := range plan[:reached] {
		result, ok := run.Results[i+1]
		switch {
		case i+1 == run.Open && !run.Done:
			result = relibctest.Result{Ended: relibctest.EndedGuest}
			t.s.Say("%s by %s: the guest ended or hung", p.name, p.backend)
		case ok:
		case !torn[p]:
			torn[p] = true
			again = append(again, p)
			continue
		default:
			continue
		}
		// A test that prints where it is differs in nothing else.
		// Without the slash in front: relibc's Unix sockets are named so.
		folder := strings.TrimPrefix(relibcFolder, "/")
		here := strings.NewReplacer(folder+"/"+p.backend, folder)
		result.Stdout, result.Stderr = here.Replace(result.Stdout), here.Replace(result.Stderr)
		t.tests[p.name].Results[p.backend] = result
	}
	return append(again, plan[reached:]...)
}

// boot runs a plan in a fresh guest.
func (t *relibcTests) boot(ctx context.Context, plan []planned) (*relibctest.Run, error) {
	if err := t.writePlan(ctx, plan); err != nil {
		return nil, err
	}
	m, err := guest.New(t.s, qemu.GuestOptions{Image: t.image, Accel: t.accel})
	if err != nil {
		return nil, err
	}
	if err := m.UsePrivateVars(t.dir); err != nil {
		return nil, err
	}
	t.boots++
	t.s.Say("booting %d programs of %s", len(plan), t.s.Relative(t.image))
	script := qemu.Script{
		Forbidden: []*regexp.Regexp{regexp.MustCompile(`\b(SETUP|KERNEL) PANIC\b`)},
		Steps:     []qemu.Step{{Name: "the end of all tests", Pattern: regexp.MustCompile(relibctest.LastLine)}},
	}
	limits := qemu.Limits{Silence: relibcSilence + t.longest(plan), Total: 2 * time.Hour}
	result, err := guest.Run(ctx, t.s, fmt.Sprintf("relibc-tests-%d", t.boots), m, script, limits)
	if err != nil {
		return nil, err
	}
	t.took += result.Elapsed
	serial, err := os.ReadFile(result.Log)
	if err != nil {
		return nil, err
	}
	run := relibctest.Parse(string(serial))
	if err := result.Err(); err != nil && run.Open == 0 {
		return nil, fmt.Errorf("no test can be blamed for it: %w", err)
	}
	return run, nil
}

// longest is the longest time that a test of a plan may take; it may be silent all along.
func (t *relibcTests) longest(plan []planned) time.Duration {
	seconds := 0
	for _, p := range plan {
		seconds = max(seconds, t.list.Seconds(p.name, relibcSeconds))
	}
	return time.Duration(seconds) * time.Second
}

func (t *relibcTests) writePlan(ctx context.Context, plan []planned) error {
	var text strings.Builder
	for _, p := range plan {
		fmt.Fprintf(&text, "%s/%s %s/%s %d\n", relibcFolder, p.backend, relibcBin, p.name, t.list.Seconds(p.name, relibcSeconds))
	}
	v, err := disk.Volume(t.tool, t.image)
	if err != nil {
		return err
	}
	lines := text.String()
	_, err = v.Apply(ctx, []redoxfs.Op{{Op: redoxfs.OpFile, Path: relibcPlan, Text: &lines}}, redoxfs.ApplyOptions{NoSync: true})
	return err
}

// conclude says what was found, writes the reports, and fails on everything that is not expected.
func (t *relibcTests) conclude(cases []relibctest.Case) error {
	if len(cases) == 0 {
		return errors.New("there are no tests")
	}
	if err := errors.Join(t.writeOutputs(), t.writeReport(cases)); err != nil {
		return err
	}
	count := map[relibctest.Verdict]int{}
	var failed []string
	for _, c := range cases {
		count[c.Verdict]++
		switch {
		case c.Unexpected():
			failed = append(failed, fmt.Sprintf("%s: %s\n  %s", c.Name, c.Verdict, strings.ReplaceAll(c.Detail, "\n", "\n  ")))
		case c.Again:
			t.s.Say("%s came out as it should only when it was run again", c.Name)
		case c.Outdated():
			t.s.Say("%s is listed as %q and %s", c.Name, c.Known.What, c.Verdict)
		}
	}
	t.s.Say("%s", summary(cases, count))
	t.s.Say("booted %d times, %s; outputs in %s, report: %s", t.boots, ui.Seconds(t.took), t.s.Relative(t.outputs()), t.s.Relative(t.report.File))
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d tests are not as they should be:\n%s", len(failed), len(cases), strings.Join(failed, "\n"))
	}
	return nil
}

// summary counts every test once; what is not run is never left out.
func summary(cases []relibctest.Case, count map[relibctest.Verdict]int) string {
	same := count[relibctest.Passed] + count[relibctest.Fails]
	return fmt.Sprintf("%d tests of relibc: %d the same by both backends (%d pass, %d fail by both), %d differ, %d not compiled, %d not run, %d not reached",
		len(cases), same, count[relibctest.Passed], count[relibctest.Fails], count[relibctest.Differs], count[relibctest.NotCompiled],
		count[relibctest.NotRun], count[relibctest.NotReached])
}

func (t *relibcTests) outputs() string { return filepath.Join(t.s.Config.Out(), "test", "relibc") }

// writeOutputs keeps what the tests printed, for diff -r of the two backends' folders.
func (t *relibcTests) writeOutputs() error {
	if err := os.RemoveAll(t.outputs()); err != nil {
		return err
	}
	for _, name := range t.names() {
		for backend, r := range t.tests[name].Results {
			file := filepath.Join(t.outputs(), backend, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			for _, part := range []struct{ ext, text string }{{".end", r.Ended + "\n"}, {".stdout", r.Stdout}, {".stderr", r.Stderr}} {
				if err := os.WriteFile(file+part.ext, []byte(part.text), 0o644); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writeReport writes JUnit's XML: a case for each test.
func (t *relibcTests) writeReport(cases []relibctest.Case) error {
	suite := junit.NewSuite("relibc", "relibc", t.took)
	skipped := []relibctest.Verdict{relibctest.NotRun, relibctest.NotCompiled, relibctest.Fails, relibctest.Differs}
	for _, c := range cases {
		switch {
		case c.Unexpected():
			suite.Fail(c.Name, string(c.Verdict), c.Detail)
		case slices.Contains(skipped, c.Verdict):
			suite.Skip(c.Name)
		default:
			suite.Pass(c.Name)
		}
	}
	return t.report.Write(suite)
}
