package drift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"
	"github.com/pelletier/go-toml/v2"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// LockFile is recipes/lock.toml: what the pinned sources were found to hold when somebody looked at
// them. A source whose Cargo.lock files are others under the same name was moved without anybody looking.
const LockFile = "recipes/lock.toml"

// sourceLockFix is the command that writes it.
const sourceLockFix = "mage drift:lock"

// Lock is recipes/lock.toml: what the pinned sources were found to hold when somebody looked at them. `mage drift:lock` writes it.
type Lock struct {
	// Source has the recipes' sources by the recipe's name; with "@seed" behind it that of the release set seed.
	Source map[string]LockedSource `toml:"source"`
}

// LockedSource is one source.
type LockedSource struct {
	// Identity says which source was looked at: "git:" and the commit, "crate:sha256:" or "archive:sha256:" and the digest.
	Identity string `toml:"identity,required"`
	// Cargo has the SHA-256 of the Cargo.lock files that builds go by, by slash path in the source.
	Cargo map[string]string `toml:"cargo-lock"`
}

// LoadLock reads the file and returns its text too, for line numbers. A file that is not there is empty.
func LoadLock(file string) (*Lock, []byte, error) {
	text, err := tomlfile.Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	l := &Lock{}
	if err := tomlfile.Decode(file, text, l); err != nil {
		return nil, nil, err
	}
	if l.Source == nil {
		l.Source = map[string]LockedSource{}
	}
	return l, text, nil
}

// Text is the file, the same bytes for the same content.
func (l *Lock) Text() ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("# What the pinned sources hold. Written by `" + sourceLockFix + "`, not by hand: look at what changed in a\n" +
		"# source before you write it anew.\n")
	err := toml.NewEncoder(&text).Encode(l)
	return text.Bytes(), err
}

// Write replaces the file.
func (l *Lock) Write(file string) error {
	text, err := l.Text()
	if err != nil {
		return err
	}
	return renameio.WriteFile(file, text, 0o644)
}

// cargoLocks are the digests of those of a source's Locks that are there, as pinned.
func cargoLocks(s *Source) map[string]string {
	locks := map[string]string{}
	for _, p := range s.Locks {
		if e, ok := s.Tree.files.Entries[p]; ok && !e.Dir && e.Link == "" && !s.overridden(p) {
			locks[p] = e.Digest.Hash
		}
	}
	return locks
}

// Record notes what a source holds now. What is overridden is not the pinned source: of a source that is
// so as a whole nothing is noted, and below overridden submodules what was noted before stays.
func (l *Lock) Record(s *Source) (changed bool, err error) {
	if s.Overridden {
		return false, fmt.Errorf("%s is overridden: lock it where it is not", s.Name)
	}
	old := l.Source[s.Name]
	locks := cargoLocks(s)
	for p, digest := range old.Cargo {
		if old.Identity == s.Identity && s.overridden(p) {
			locks[p] = digest
		}
	}
	l.Source[s.Name] = LockedSource{s.Identity, locks}
	return old.Identity != s.Identity || !maps.Equal(old.Cargo, locks), nil
}

// Prune drops what is locked for sources that are no longer there, and says whether there was any.
func (l *Lock) Prune(names []string) bool {
	before := len(l.Source)
	maps.DeleteFunc(l.Source, func(name string, _ LockedSource) bool { return !slices.Contains(names, name) })
	return len(l.Source) != before
}

// Locked is what [LockSources] did.
type Locked struct {
	// Written are the sources that were locked anew, in order.
	Written []LockedNow `json:"locked"`
	// Sources counts those that the lock has now.
	Sources int `json:"sources"`
}

// LockedNow is a source that was locked.
type LockedNow struct {
	Source   string `json:"source"`
	Identity string `json:"identity"`
}

// LockSources writes down what the pinned sources hold now. What is not here or overridden keeps what was locked for it before; when
// nothing fitting was, the error says so, beside what was locked.
func LockSources(ctx context.Context, c *Checkout) (*Locked, error) {
	sources, err := c.collect(ctx)
	if err != nil {
		return nil, err
	}
	lock, _, err := LoadLock(c.path(LockFile))
	if err != nil {
		return nil, err
	}
	did := &Locked{Written: []LockedNow{}}
	pruned := lock.Prune(c.lockedNames())
	var wrong *multierror.Error
	for i := range sources {
		changed, err := lock.update(&sources[i])
		wrong = multierror.Append(wrong, err)
		if changed {
			did.Written = append(did.Written, LockedNow{sources[i].Name, sources[i].Identity})
		}
	}
	if pruned || len(did.Written) > 0 {
		if err := lock.Write(c.path(LockFile)); err != nil {
			return nil, err
		}
	}
	did.Sources = len(lock.Source)
	return did, errs.One(wrong)
}

// LockedWith is the text of the lock with one more source, that of a recipe of the checkout, and whether it is another than before. Sources
// that lie in the checkout are not locked.
func LockedWith(ctx context.Context, c *Checkout, name string) (text []byte, changed bool, err error) {
	src := c.describe(c.Recipes[name])
	if src.why == "" {
		c.load(ctx, &src)
	}
	lock, _, err := LoadLock(c.path(LockFile))
	if err != nil {
		return nil, false, err
	}
	if changed, err = lock.update(&src); err != nil || !changed {
		return nil, false, err
	}
	text, err = lock.Text()
	return text, true, err
}

// update notes what a source holds, and tells whether that is news.
func (l *Lock) update(src *Source) (changed bool, err error) {
	switch {
	case !src.isLocked():
		return false, nil
	case src.Tree != nil && !src.Overridden:
		return l.Record(src)
	case l.Source[src.Name].Identity == src.Identity:
		return false, nil
	case src.Overridden:
		return false, fmt.Errorf("%s is not locked: it is overridden", src.Name)
	}
	return false, fmt.Errorf("%s is not locked: %s", src.Name, src.why)
}

// lockedNames are the sources that the lock is to have, of all release sets.
func (c *Checkout) lockedNames() []string {
	var names []string
	for _, in := range append([]*Checkout{c}, c.Others...) {
		for _, src := range in.describeAll() {
			if src.isLocked() {
				names = append(names, src.Name)
			}
		}
	}
	return names
}
