package drift

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// SourceLock is a source that is not what was locked.
const SourceLock Kind = "source-lock"

func checkSourceLock(_ context.Context, in *inputs, r *Report) error {
	lock, text, err := LoadLock(in.checkout.path(LockFile))
	if err != nil {
		return err
	}
	r.add(lock.Gone(in.checkout.lockedNames(), text)...)
	for i := range in.sources {
		src := &in.sources[i]
		if src.isLocked() {
			r.add(lock.Identity(src, text)...)
		}
		if src.missing(SourceLock, r) || src.local {
			continue
		}
		r.add(lock.Compare(src, text)...)
		if src.Overridden {
			r.skip(SourceLock, "source of "+src.Name, "it is overridden", "build without the override")
		}
	}
	return nil
}

// Gone finds what is locked for sources that no recipe has.
func (l *Lock) Gone(names []string, text []byte) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(l.Source)) {
		if !slices.Contains(names, name) {
			found = append(found, Finding{
				Kind: SourceLock, File: LockFile, Line: lineOf(text, "source", name, "identity"),
				Expected: "sources of recipes only", Found: name, Fix: sourceLockFix,
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
		return []Finding{{Kind: SourceLock, File: LockFile, Expected: s.Name + " locked as " + s.Identity, Fix: sourceLockFix}}
	case locked.Identity != s.Identity:
		return []Finding{{
			Kind: SourceLock, File: LockFile, Line: lineOf(text, "source", s.Name, "identity"),
			Expected: s.Name + " locked as " + s.Identity, Found: locked.Identity, Fix: sourceLockFix,
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
			Found:    sha(present[p]), Fix: sourceLockFix,
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
