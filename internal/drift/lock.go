package drift

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/pelletier/go-toml/v2"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// LockFile is recipes/lock.toml: what the pinned sources were found to hold when somebody looked at
// them. A source whose Cargo.lock files are others under the same name was moved without anybody looking.
const LockFile = "recipes/lock.toml"

// LockFix is the command that writes it.
const LockFix = "mage drift:lock"

// Lock is the content of the file, by Source.Name.
type Lock struct {
	Source map[string]LockedSource `toml:"source"`
}

// LockedSource is one source.
type LockedSource struct {
	// Identity is Source.Identity.
	Identity string `toml:"identity"`
	// Cargo has the SHA-256 of the Cargo.lock files that builds go by, by slash path.
	Cargo map[string]string `toml:"cargo-lock"`
}

// LoadLock reads the file and returns its text too, for line numbers. A file that is not there is empty.
func LoadLock(file string) (*Lock, []byte, error) {
	text, err := os.ReadFile(file)
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

// Write replaces the file, with the same bytes for the same content.
func (l *Lock) Write(file string) error {
	var text bytes.Buffer
	text.WriteString("# What the pinned sources hold. Written by `" + LockFix + "`, not by hand: look at what changed in a\n" +
		"# source before you write it anew.\n")
	if err := toml.NewEncoder(&text).Encode(l); err != nil {
		return err
	}
	return renameio.WriteFile(file, text.Bytes(), 0o644)
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

// Gone finds what is locked for sources that no recipe has.
func (l *Lock) Gone(names []string, text []byte) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(l.Source)) {
		if !slices.Contains(names, name) {
			found = append(found, Finding{
				Kind: SourceLock, File: LockFile, Line: lineOf(text, "source", name, "identity"),
				Expected: "sources of recipes only", Found: name, Fix: LockFix,
			})
		}
	}
	return found
}

// Identity compares the pinned commit or digest of a source with the locked one. It needs no tree.
func (l *Lock) Identity(s *Source, text []byte) []Finding {
	locked, ok := l.Source[s.Name]
	switch {
	case !ok:
		return []Finding{{Kind: SourceLock, File: LockFile, Expected: s.Name + " locked as " + s.Identity, Fix: LockFix}}
	case locked.Identity != s.Identity:
		return []Finding{{
			Kind: SourceLock, File: LockFile, Line: lineOf(text, "source", s.Name, "identity"),
			Expected: s.Name + " locked as " + s.Identity, Found: locked.Identity, Fix: LockFix,
		}}
	}
	return nil
}

// Compare compares the Cargo.lock files of a source with the locked ones. Another commit than the locked one
// is Identity's finding: its files are then not listed too.
func (l *Lock) Compare(s *Source, text []byte) []Finding {
	locked, ok := l.Source[s.Name]
	if !ok || locked.Identity != s.Identity || s.Overridden {
		return nil
	}
	present := cargoLocks(s)
	var found []Finding
	names := slices.Sorted(maps.Keys(present))
	for p := range locked.Cargo {
		if _, there := present[p]; !there && !s.overridden(p) {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	for _, p := range names {
		if locked.Cargo[p] == present[p] {
			continue
		}
		found = append(found, Finding{
			Kind: SourceLock, Source: s.Name, InCheckout: s.Recipe, File: p,
			Expected: orNone(locked.Cargo[p]) + fmt.Sprintf(" (%s:%d)", LockFile, lineOf(text, "source", s.Name, "cargo-lock", p)),
			Found:    sha(present[p]), Fix: LockFix,
		})
	}
	return found
}

func sha(digest string) string {
	if digest == "" {
		return ""
	}
	return "sha256 " + digest
}

func orNone(digest string) string {
	if digest == "" {
		return "no such file"
	}
	return sha(digest)
}
