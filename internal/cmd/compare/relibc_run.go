package compare

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/relibctest"
)

const (
	// relibcBoots bounds how often the guest is booted anew after a test has ended it.
	relibcBoots = 12
	// relibcSilence is how long the guest may say nothing beside the time of the longest test: a slow start.
	relibcSilence = 150 * time.Second
)

// run runs all tests, and once more those that came out as nobody expects.
func (t *relibcTests) run(ctx context.Context) ([]relibctest.Case, error) {
	if err := t.runAll(ctx, t.suite.Names()); err != nil {
		return nil, err
	}
	cases := t.suite.Judge()
	again := relibctest.ToRepeat(cases)
	if len(again) == 0 {
		return cases, nil
	}
	t.s.Say("running %d tests again that came out as they should not: %s", len(again), strings.Join(again, ", "))
	if err := t.runAll(ctx, again); err != nil {
		return nil, err
	}
	return t.suite.JudgeAgain(cases), nil
}

// runAll boots until every test that can be run was run, or the guest was booted too often.
func (t *relibcTests) runAll(ctx context.Context, names []string) error {
	schedule := t.suite.Schedule(names)
	for first := t.boots; len(schedule.Rest) > 0 && t.boots-first < relibcBoots; {
		run, err := t.boot(ctx, schedule)
		if err != nil {
			return err
		}
		if last := schedule.Record(run); last != nil {
			t.s.Say("%s by %s: the guest ended or hung", last.Test, last.Backend)
		}
	}
	return nil
}

// boot runs what is left of a schedule in a fresh guest.
func (t *relibcTests) boot(ctx context.Context, schedule *relibctest.Schedule) (*relibctest.Run, error) {
	if err := t.writePlan(ctx, schedule.Plan()); err != nil {
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
	t.s.Say("booting %d programs of %s", len(schedule.Rest), t.s.Relative(t.image))
	script := qemu.Script{
		Forbidden: []*regexp.Regexp{regexp.MustCompile(`\b(SETUP|KERNEL) PANIC\b`)},
		Steps:     []qemu.Step{{Name: "the end of all tests", Pattern: regexp.MustCompile(relibctest.LastLine)}},
	}
	limits := qemu.Limits{Silence: relibcSilence + schedule.Longest(), Total: 2 * time.Hour}
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

func (t *relibcTests) writePlan(ctx context.Context, plan string) error {
	v, err := disk.Volume(t.tool, t.image)
	if err != nil {
		return err
	}
	_, err = v.Apply(ctx, []redoxfs.Op{{Op: redoxfs.OpFile, Path: relibcPlan, Text: &plan}}, redoxfs.ApplyOptions{NoSync: true})
	return err
}
