package toolchain

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ChangedError says that the installed pin is not what was verified of it.
type ChangedError struct {
	Channel string
	Dir     string
	// Files are the parts of the identity that differ, sorted, each with what became of it.
	Files []ChangedFile
}

// ChangedFile is one part of the identity that differs from the lock.
type ChangedFile struct {
	Name string // slash path in the toolchain
	Gone bool
	// Newest is, for a folder of which only one digest is locked, the file in it that changed last; "" otherwise.
	Newest string
}

func (f ChangedFile) String() string {
	switch {
	case f.Gone:
		return f.Name + " is gone"
	case f.Newest != "":
		return f.Name + " has changed (in it " + f.Newest + " did last)"
	}
	return f.Name + " has changed"
}

// Error is two lines: what differs, and the ways out.
func (e *ChangedError) Error() string {
	const most = 5
	var what []string
	for _, f := range e.Files[:min(most, len(e.Files))] {
		what = append(what, f.String())
	}
	if more := len(e.Files) - most; more > 0 {
		what = append(what, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("the toolchain in %s is not what toolchain.lock.toml says of %s: %s\n%s; where the change is meant: mage toolchain:lock, or REDOX_TOOLCHAIN=%[1]s",
		e.Dir, e.Channel, strings.Join(what, ", "), Reinstall(e.Channel))
}

// Reinstall is the command that gets a channel again.
func Reinstall(channel string) string {
	return "get it again: rustup toolchain uninstall " + channel + " && mage toolchain:install"
}

// Check holds a toolchain that was installed by the pin to the digests in the lock. The error is a [ChangedError]. A lock of another
// channel, or without this host, says nothing. Files that were not locked are no part of that (optional components). Before
// anything is called changed, all files are read: what was kept of them may be of another version of this program.
func (l *Lock) Check(ctx context.Context, t *Toolchain, identity *Identity) error {
	locked, known := l.Host[t.Host]
	if t.Provider != FromRustup || l.Channel != t.Channel || !known || len(differing(locked.Files, identity.Files)) == 0 {
		return nil
	}
	identity, err := t.IdentifyAnew(ctx)
	if err != nil {
		return err
	}
	names := differing(locked.Files, identity.Files)
	if len(names) == 0 {
		return nil
	}
	changed := &ChangedError{Channel: t.Channel, Dir: t.Dir}
	for _, name := range names {
		changed.Files = append(changed.Files, ChangedFile{name, identity.Files[name] == "", newestBelow(t.Dir, name)})
	}
	return changed
}

func differing(locked, installed map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(locked)) {
		if locked[name] != installed[name] {
			names = append(names, name)
		}
	}
	return names
}

// newestBelow is the file below a folder of the toolchain whose inode changed last, "" for what is no folder.
func newestBelow(dir, name string) string {
	top := filepath.Join(dir, filepath.FromSlash(name))
	if !isDir(top) {
		return ""
	}
	var newest string
	var last time.Time
	_ = filepath.WalkDir(top, func(path string, e os.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil || e.IsDir() || unix.Lstat(path, &st) != nil {
			return nil // it is a hint
		}
		if when := time.Unix(st.Ctim.Unix()); when.After(last) {
			last, newest = when, path
		}
		return nil
	})
	return filepath.ToSlash(strings.TrimPrefix(newest, dir+string(filepath.Separator)))
}
