// Package unchanged remembers a run that found nothing to do, so that the next run like it is answered without being made.
//
// It owns what makes two runs alike (the program, its words, the environment, and everything on disk that the first one looked
// at, each thing by what its inode says) and the rules by which a record is not believed. It must not know what was looked at, nor what for.
//
// A file is known by size, modification and change time, inode number, owner and mode, a folder too: whatever is put into it, taken out
// or renamed changes its times. As in git's index and package cas, what was changed so shortly before the run began that a later change could carry the
// same time is not recorded, and nor is the run. That also covers what changed while the run looked at it.
package unchanged

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/lockfile"
)

// MaxAge is how long a record is believed. A run that is made notes in the cache which results are in use, to the hour; one that is answered
// does not.
const MaxAge = time.Hour

// ErrFresh says that something was changed too shortly before the run, or during it.
var ErrFresh = errors.New("it has just been changed")

// Call is a run as it is called. The side that keeps a record and the one that repeats it have to say the same of one.
type Call struct {
	// Root is the checkout.
	Root string
	// Program is the binary that makes the run, Words its arguments, Environ its environment as NAME=value.
	Program        string
	Words, Environ []string
}

// bookkeeping are variables in which shells keep what they did, and in which nothing that is run looks.
var bookkeeping = []string{"_", "SHLVL", "OLDPWD"}

// notVerbose is what Mage sets in the environment of a program that was not called with -v, which its words say as well.
const notVerbose = "MAGEFILE_VERBOSE=0"

// key names what is alike in two calls.
func (c Call) key() string {
	sum := sha256.New()
	line := func(text string) { sum.Write([]byte(strconv.Itoa(len(text)) + ":" + text)) }
	line(c.Root)
	line(c.Program)
	line(strconv.Itoa(os.Geteuid()))
	line(strconv.Itoa(len(c.Words)))
	for _, w := range c.Words {
		line(w)
	}
	for _, e := range slices.Sorted(slices.Values(c.Environ)) {
		if name, _, _ := strings.Cut(e, "="); !slices.Contains(bookkeeping, name) && e != notVerbose {
			line(e)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// folder is where records lie.
func (c Call) folder() string { return filepath.Join(c.Root, "out", "mage", "unchanged") }

func (c Call) path() string { return filepath.Join(c.folder(), c.key()) }

// Run is a run that found nothing to do.
type Run struct {
	// Began is when it began, before it looked at anything.
	Began time.Time
	// Lock is the file that it had locked: while another process has it, the run would have waited.
	Lock string
	// Said is what it wrote to standard error, and all that it wrote.
	Said []byte
	// Seen is what it rests on.
	Seen *Seen
}

// Keep records a run, and removes records that are too old to be believed. The error is ErrFresh for a run that cannot be recorded.
func (c Call) Keep(r Run) error {
	things, err := r.Seen.look(r.Began)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.folder(), 0o755); err != nil {
		return err
	}
	c.sweep(time.Now())
	return atomicfile.Write(c.path(), record{kept: time.Now(), lock: r.Lock, said: r.Said, things: things}.marshal(), 0o644)
}

// sweep removes records that nobody believes any more. What stays is swept the next time.
func (c Call) sweep(now time.Time) {
	entries, _ := os.ReadDir(c.folder())
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > MaxAge {
			_ = os.Remove(filepath.Join(c.folder(), e.Name()))
		}
	}
}

// Repeat is what the run said that would now do what the recorded one did: look at the same things, and find nothing to do. ok is false where
// there is none, or something is not as it was.
func (c Call) Repeat(now time.Time) (said []byte, ok bool) {
	b, err := cachefile.Read(c.path())
	if err != nil {
		return nil, false
	}
	r, err := parse(b)
	if err != nil || now.Before(r.kept) || now.Sub(r.kept) > MaxAge {
		return nil, false
	}
	lock, err := lockfile.Try(r.lock)
	if err != nil || lock == nil {
		return nil, false
	}
	defer lock.Release()
	if !r.holds() {
		return nil, false
	}
	return bytes.Clone(r.said), true
}
