package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/ui"
)

// bootAfter is what must be in the file system of the disk after the run. What is not given is not looked at.
type bootAfter struct {
	Path   string  `toml:"path"`
	Absent bool    `toml:"absent"`
	Type   string  `toml:"type"`  // file, dir or link
	Text   *string `toml:"text"`  // a file's whole content
	Match  string  `toml:"match"` // a pattern that the content matches
	Mode   string  `toml:"mode"`  // octal permission bits
	UID    *uint32 `toml:"uid"`
	GID    *uint32 `toml:"gid"`
}

// bootTrace counts events inside QEMU, which the guest cannot make up.
type bootTrace struct {
	Event   string `toml:"event"`    // a name, as `qemu-system-aarch64 -trace help` lists them
	Match   string `toml:"match"`    // a pattern for the values behind the name
	AtLeast *int   `toml:"at-least"` // 1 by default
	AtMost  *int   `toml:"at-most"`
}

func (a *bootAfter) check() []error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("after %q: %w", a.Path, fmt.Errorf(format, args...)))
	}
	if !strings.HasPrefix(a.Path, "/") {
		fail("no absolute path")
	}
	if _, err := regexp.Compile(a.Match); err != nil {
		fail("%w", err)
	}
	if _, err := strconv.ParseUint(a.Mode, 8, 12); a.Mode != "" && err != nil {
		fail("mode %q is not octal permission bits like 0644", a.Mode)
	}
	switch a.Type {
	case "", "file", "dir", "link":
	default:
		fail("type %q: want file, dir or link", a.Type)
	}
	if a.Absent && (a.Type+a.Match+a.Mode != "" || a.Text != nil || a.UID != nil || a.GID != nil) {
		fail("what is absent has no properties")
	}
	return errs
}

func (a *bootAfter) label() string {
	if a.Absent {
		return "after the run: no " + a.Path
	}
	return "after the run: " + a.Path
}

func (t *bootTrace) check() []error {
	var errs []error
	if t.Event == "" || strings.ContainsAny(t.Event, " *,") {
		errs = append(errs, fmt.Errorf("trace %q: no name of an event", t.Event))
	}
	if _, err := regexp.Compile(t.Match); err != nil {
		errs = append(errs, fmt.Errorf("trace %q: %w", t.Event, err))
	}
	return errs
}

func (t *bootTrace) label() string { return strings.TrimSpace("trace " + t.Event + " " + t.Match) }

// bootOutcome is what a run came to.
type bootOutcome struct {
	result   *qemu.Result
	replayed *qemu.Replayed
	// extra are the checks after the run; there are none when the guest failed.
	extra []bootCheck
}

// bootCheck is one of them.
type bootCheck struct {
	name string
	err  error
}

// add adds checks, unless the guest failed before they could mean anything.
func (o *bootOutcome) add(checks []bootCheck) {
	if o.result.Err() == nil {
		o.extra = append(o.extra, checks...)
	}
}

// err is everything that failed.
func (o *bootOutcome) err() error {
	if err := o.result.Err(); err != nil {
		return err
	}
	var all *multierror.Error
	for _, c := range o.extra {
		if c.err != nil {
			all = multierror.Append(all, fmt.Errorf("%s: %w", c.name, c.err))
		}
	}
	if all != nil {
		all = multierror.Append(all, fmt.Errorf("the serial log is in %s", o.result.Log))
	}
	return all.ErrorOrNil()
}

// judge looks at what the guest has left. The error is about looking.
func (r *bootRun) judge(ctx context.Context, result *qemu.Result) (*bootOutcome, error) {
	o := &bootOutcome{result: result}
	if result.Err() != nil {
		return o, nil
	}
	if err := r.countTraces(o); err != nil {
		return nil, err
	}
	image := r.m.image
	if r.before != "" {
		replayed, err := qemu.ReplayFlushed(r.m.Drives[0].WriteLog, r.before)
		if err != nil {
			return nil, err
		}
		o.replayed, image = &replayed, r.before
	}
	if len(r.test.After) == 0 {
		return o, nil
	}
	v, err := disk.Volume(r.tool, image)
	if err != nil {
		return nil, err
	}
	_, err = v.Verify(ctx)
	o.extra = append(o.extra, bootCheck{"after the run: the file system is sound", err})
	for i := range r.test.After {
		a := &r.test.After[i]
		err := a.look(ctx, v)
		if err != nil && o.replayed != nil {
			err = fmt.Errorf("%w (the guest flushed %d times, after %d writes; %d writes after that are lost)", err, o.replayed.Flushes, o.replayed.Writes, o.replayed.Lost)
		}
		o.extra = append(o.extra, bootCheck{a.label(), err})
	}
	return o, ctx.Err()
}

// look compares a file of the disk with what it must be.
func (a *bootAfter) look(ctx context.Context, v redoxfs.Volume) error {
	n, err := v.Stat(ctx, a.Path, false)
	if a.Absent && redoxfs.KindOf(err) == redoxfs.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Absent {
		return errors.New("is there")
	}
	var wrong []string
	differs := func(what string, is, want any) {
		wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", what, is, want))
	}
	if a.Type != "" && n.Type != a.Type {
		differs("the type", n.Type, a.Type)
	}
	if mode, _ := strconv.ParseUint(a.Mode, 8, 12); a.Mode != "" && uint64(n.Mode) != mode {
		differs("the mode", fmt.Sprintf("%04o", n.Mode), fmt.Sprintf("%04o", mode))
	}
	if a.UID != nil && n.UID != *a.UID {
		differs("the owner", n.UID, *a.UID)
	}
	if a.GID != nil && n.GID != *a.GID {
		differs("the group", n.GID, *a.GID)
	}
	if a.Text != nil || a.Match != "" {
		var b bytes.Buffer
		if err := v.Cat(ctx, a.Path, &b); err != nil {
			return err
		}
		if a.Text != nil && b.String() != *a.Text {
			differs("the content", quoted(b.String()), quoted(*a.Text))
		}
		if a.Match != "" && !regexp.MustCompile(a.Match).Match(b.Bytes()) { // checked when it was read
			differs("the content", quoted(b.String()), "a match of "+a.Match)
		}
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

func quoted(s string) string {
	if len(s) > 200 {
		return fmt.Sprintf("%q and %d bytes more", s[:200], len(s)-200)
	}
	return strconv.Quote(s)
}

// countTraces holds the events to what the test wants.
func (r *bootRun) countTraces(o *bootOutcome) error {
	if len(r.test.Traces) == 0 {
		return nil
	}
	text, err := os.ReadFile(r.m.Trace.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // QEMU makes the file with the first event
		return err
	}
	for i := range r.test.Traces {
		t := &r.test.Traces[i]
		o.extra = append(o.extra, bootCheck{t.label(), t.count(string(text))})
	}
	return nil
}

// count looks at QEMU's lines: the event's name, then its values.
func (t *bootTrace) count(lines string) error {
	pattern := regexp.MustCompile(t.Match) // checked when it was read
	n, least := 0, 1
	for line := range strings.Lines(lines) {
		name, values, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == t.Event && pattern.MatchString(values) {
			n++
		}
	}
	if t.AtLeast != nil {
		least = *t.AtLeast
	}
	if n < least {
		return fmt.Errorf("happened %d times, want at least %d", n, least)
	}
	if t.AtMost != nil && n > *t.AtMost {
		return fmt.Errorf("happened %d times, want at most %d", n, *t.AtMost)
	}
	return nil
}

func (s *Session) sayPassed(name string, o *bootOutcome) {
	more := ""
	if len(o.extra) > 0 {
		more = fmt.Sprintf(", %d checks after it", len(o.extra))
	}
	if r := o.replayed; r != nil {
		more += fmt.Sprintf("; %d flushes, %d writes before them, %d lost", r.Flushes, r.Writes, r.Lost)
	}
	s.say("boot test %s: passed in %s%s (log: %s)", name, ui.Seconds(o.result.Elapsed), more, s.relative(o.result.Log))
}
