package boottest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// judge looks at what the guest has left. The error is about looking.
func (r *run) judge(ctx context.Context, result *qemu.Result) (*boottest.Outcome, error) {
	o := &boottest.Outcome{Result: result}
	if result.Err() != nil {
		return o, nil
	}
	if err := r.countTraces(o); err != nil {
		return nil, err
	}
	image := r.m.Drives[0].File
	if r.before != "" {
		replayed, err := qemu.ReplayFlushed(r.m.Drives[0].WriteLog, r.before)
		if err != nil {
			return nil, err
		}
		o.Replayed, image = &replayed, r.before
	}
	if len(r.test.After) == 0 {
		return o, nil
	}
	v, err := disk.Volume(r.tool, image)
	if err != nil {
		return nil, err
	}
	_, err = v.Verify(ctx)
	o.Extra = append(o.Extra, boottest.Check{Name: "after the run: the file system is sound", Err: err})
	for i := range r.test.After {
		a := &r.test.After[i]
		err := a.Look(ctx, v)
		if err != nil && o.Replayed != nil {
			err = fmt.Errorf("%w (the guest flushed %d times, after %d writes; %d writes after that are lost)", err, o.Replayed.Flushes, o.Replayed.Writes, o.Replayed.Lost)
		}
		o.Extra = append(o.Extra, boottest.Check{Name: a.Label(), Err: err})
	}
	return o, ctx.Err()
}

// countTraces holds the events to what the test wants.
func (r *run) countTraces(o *boottest.Outcome) error {
	if len(r.test.Traces) == 0 {
		return nil
	}
	text, err := os.ReadFile(r.m.Trace.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // QEMU makes the file with the first event
		return err
	}
	for i := range r.test.Traces {
		t := &r.test.Traces[i]
		o.Extra = append(o.Extra, boottest.Check{Name: t.Label(), Err: t.Count(string(text))})
	}
	return nil
}

func sayPassed(s *session.Session, name string, o *boottest.Outcome) {
	more := ""
	if len(o.Extra) > 0 {
		more = fmt.Sprintf(", %d checks after it", len(o.Extra))
	}
	if r := o.Replayed; r != nil {
		more += fmt.Sprintf("; %d flushes, %d writes before them, %d lost", r.Flushes, r.Writes, r.Lost)
	}
	s.Say("boot test %s: passed in %s%s (log: %s)", name, ui.Seconds(o.Result.Elapsed), more, s.Relative(o.Result.Log))
}
