package boottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// After is what must be in the file system of the disk after the run. What is not given is not looked at.
type After struct {
	// Path is absolute, in the file system of the disk.
	Path string `toml:"path,required"`
	// Absent says that there must be nothing.
	Absent bool `toml:"absent"`
	// Type is what must be there.
	Type fileType `toml:"type"`
	// Text is a file's whole content.
	Text *string `toml:"text"`
	// Match is a pattern that the content matches.
	Match string `toml:"match"`
	// Mode has the permission bits, octal.
	Mode string `toml:"mode"`
	// UID is the owner.
	UID *uint32 `toml:"uid"`
	// GID is the group.
	GID *uint32 `toml:"gid"`
}

// fileType is what the tool that reads RedoxFS calls what is at a path.
type fileType string

// The types of what a test can ask for.
const (
	typeFile fileType = "file" // a regular file
	typeDir  fileType = "dir"  // a directory
	typeLink fileType = "link" // a symbolic link
)

// Values are the types.
func (fileType) Values() []string { return tomlfile.Values(typeFile, typeDir, typeLink) }

// Trace counts events inside QEMU, which the guest cannot make up.
type Trace struct {
	// Event is a name, as `qemu-system-aarch64 -trace help` lists them.
	Event string `toml:"event,required"`
	// Match is a pattern for the values behind the name; by default all of them count.
	Match string `toml:"match"`
	// AtLeast is how often the event has to happen, 1 by default.
	AtLeast *int `toml:"at-least"`
	// AtMost is how often it may happen.
	AtMost *int `toml:"at-most"`
}

func (a *After) check() []error {
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
	if a.Absent && (string(a.Type)+a.Match+a.Mode != "" || a.Text != nil || a.UID != nil || a.GID != nil) {
		fail("what is absent has no properties")
	}
	return errs
}

// label is what the check is called.
func (a *After) label() string {
	if a.Absent {
		return "after the run: no " + a.Path
	}
	return "after the run: " + a.Path
}

func (t *Trace) check() []error {
	var errs []error
	if strings.ContainsAny(t.Event, " *,") {
		errs = append(errs, fmt.Errorf("trace %q: no name of an event", t.Event))
	}
	if _, err := regexp.Compile(t.Match); err != nil {
		errs = append(errs, fmt.Errorf("trace %q: %w", t.Event, err))
	}
	return errs
}

// label is what the check is called.
func (t *Trace) label() string { return strings.TrimSpace("trace " + t.Event + " " + t.Match) }

// look compares a file of the disk with what it must be.
func (a *After) look(ctx context.Context, v redoxfs.Volume) error {
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
	if a.Type != "" && n.Type != string(a.Type) {
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

// count looks at QEMU's lines: the event's name, then its values.
func (t *Trace) count(lines string) error {
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
