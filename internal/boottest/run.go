package boottest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
)

// Guest is what the test asks of a machine before it is made. The image is left to the caller.
func (t *Test) Guest() qemu.GuestOptions {
	return qemu.GuestOptions{Profile: t.Machine, Memory: t.Memory, Writable: t.Keep != KeepNothing}
}

// Limits bound the test's run.
func (t *Test) Limits() qemu.Limits {
	return qemu.Limits{Silence: time.Duration(t.Silence) * time.Second, Total: time.Duration(t.Limit) * time.Second}
}

// Run is one run of a test.
type Run struct {
	Name     string // of the test
	Test     *Test
	Services *Services
	Machine  *qemu.Machine
	Dir      string // of this run alone

	tool   string // redoxfs-tool, when the run has a copy of the image
	before string // that copy as it was before the run, when only flushed writes are kept
}

// Configure makes the machine what the test asks for.
func (r *Run) Configure() error {
	if r.Test.Device != "" {
		r.Machine.Drives[0].Device = r.Test.Device
	}
	if r.Test.Network || len(r.Test.Services) > 0 {
		if err := r.Machine.AddNetwork(); err != nil {
			return err
		}
	}
	if len(r.Test.Traces) > 0 {
		r.Machine.Trace = &qemu.Trace{File: filepath.Join(r.Dir, "trace")}
		for _, t := range r.Test.Traces {
			r.Machine.Trace.Events = append(r.Machine.Trace.Events, t.Event)
		}
	}
	return r.Machine.UsePrivateVars(r.Dir)
}

// UseCopy boots a copy of the image, which belongs to this run, and keeps of the guest's writes what the test wants kept. tool is
// redoxfs-tool.
func (r *Run) UseCopy(ctx context.Context, image, tool string) error {
	d := &r.Machine.Drives[0]
	r.tool, d.File = tool, image
	if r.Test.Keep != KeepFlushed {
		return nil
	}
	r.before, d.WriteLog = filepath.Join(r.Dir, "before.img"), filepath.Join(r.Dir, "writes.log")
	if err := os.WriteFile(d.WriteLog, nil, 0o600); err != nil {
		return err
	}
	return disk.Clone(ctx, image, r.before)
}

// Judge looks at what the guest has done and left. The error is about looking.
func (r *Run) Judge(ctx context.Context, result *qemu.Result) (*Outcome, error) {
	o := &Outcome{Name: r.Name, Guest: result.Outcome, Steps: result.Steps, TookMillis: result.Elapsed.Milliseconds(), Log: result.Log}
	if err := result.Err(); err != nil {
		o.Problem = err.Error() // and what it has left, or has not asked, says nothing more
		return o, nil
	}
	traces, err := r.traceChecks()
	if err != nil {
		return nil, err
	}
	if r.before != "" {
		replayed, err := qemu.ReplayFlushed(r.Machine.Drives[0].WriteLog, r.before)
		if err != nil {
			return nil, err
		}
		o.Writes = &replayed
	}
	disk, err := r.diskChecks(ctx, o.Writes)
	if err != nil {
		return nil, err
	}
	o.Checks = slices.Concat(traces, disk, r.Services.checks())
	o.Passed = o.Err() == nil
	return o, ctx.Err()
}

// traceChecks hold the events inside QEMU to what the test wants.
func (r *Run) traceChecks() ([]Check, error) {
	if len(r.Test.Traces) == 0 {
		return nil, nil
	}
	text, err := os.ReadFile(r.Machine.Trace.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // QEMU makes the file with the first event
		return nil, err
	}
	var all []Check
	for i := range r.Test.Traces {
		t := &r.Test.Traces[i]
		all = append(all, newCheck(t.label(), t.count(string(text))))
	}
	return all, nil
}

// diskChecks hold the file system to what the test wants, as it is after the replay when there was one.
func (r *Run) diskChecks(ctx context.Context, replayed *qemu.Replayed) ([]Check, error) {
	if len(r.Test.After) == 0 {
		return nil, nil
	}
	image := r.Machine.Drives[0].File
	if replayed != nil {
		image = r.before
	}
	v, err := disk.Volume(r.tool, image)
	if err != nil {
		return nil, err
	}
	_, err = v.Verify(ctx)
	all := []Check{newCheck("after the run: the file system is sound", err)}
	for i := range r.Test.After {
		a := &r.Test.After[i]
		err := a.look(ctx, v)
		if err != nil && replayed != nil {
			err = fmt.Errorf("%w (the guest flushed %d times, after %d writes; %d writes after that are lost)", err, replayed.Flushes, replayed.Writes, replayed.Lost)
		}
		all = append(all, newCheck(a.label(), err))
	}
	return all, nil
}
