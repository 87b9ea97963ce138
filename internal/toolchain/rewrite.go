package toolchain

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomledit"
)

// FindToolchainFiles lists every rust-toolchain and rust-toolchain.toml below
// root, sorted. Folders of git and cargo's target folders are passed over.
func FindToolchainFiles(root string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || isCargoTarget(path)):
			return fs.SkipDir
		case !entry.IsDir() && IsToolchainFile(entry.Name()):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for toolchain files: %w", err)
	}
	slices.Sort(found)
	return found, nil
}

// IsToolchainFile knows the two names that rustup reads; name may be a slash path.
func IsToolchainFile(name string) bool {
	base := filepath.Base(name)
	return base == "rust-toolchain" || base == "rust-toolchain.toml"
}

// isCargoTarget knows cargo's output folder by the tag cargo puts into it.
func isCargoTarget(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "CACHEDIR.TAG"))
	return err == nil
}

// FileChannel reads which toolchain a rust-toolchain file asks for: a channel,
// or "path:DIR". line is where it says so, from 1.
func FileChannel(path string) (channel string, line int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	return ChannelOf(path, data)
}

// ChannelOf is FileChannel for a text already read; path tells the form. The error begins with line and column.
func ChannelOf(path string, data []byte) (channel string, line int, err error) {
	if old, ok := legacy(path, data); ok {
		return old, 1, nil
	}
	doc, err := tomledit.Parse(data)
	if err != nil {
		return "", 0, err
	}
	for _, key := range []string{"channel", "path"} {
		if value, ok := doc.Get("toolchain", key); ok && value.IsString {
			channel = value.Text
			if key == "path" {
				channel = "path:" + channel
			}
			return channel, bytes.Count(data[:value.Start], []byte("\n")) + 1, nil
		}
	}
	return "", 1, nil
}

// legacy is the channel of a file of the old form, one line with nothing else. As
// in rustup, only the name without .toml may be.
func legacy(path string, data []byte) (channel string, ok bool) {
	_, data, err := tomledit.CutMark(data)
	channel = strings.TrimSpace(string(data))
	return channel, err == nil && filepath.Base(path) == "rust-toolchain" && !strings.ContainsAny(channel, "\n=[")
}

// Repin is a change of the pinned channel everywhere.
type Repin struct {
	Channel string
	Pin     string   // path of our toolchain.toml
	Files   []string // rust-toolchain files to follow it
	Link    bool     // make Files links to Pin instead of rewriting them
	// Also are other files that name the channel, by path, with their new content: they are
	// written with the rest or not at all.
	Also map[string][]byte
}

// Change is one file that Repin would change or has changed.
type Change struct {
	Path string `json:"path"`
	Old  string `json:"old"` // what it asked for before: a channel, "path:DIR" or "link:TARGET"; or NewFile, OtherText
	New  string `json:"new"` // the channel, or "link:TARGET"

	content []byte // new content of a file; nil for a link
	before  state
}

// What Change.Old says of a file of Repin.Also: that it was not there, or had another text.
const (
	NewFile   = "no file"
	OtherText = "another text"
)

// state is a file as it was, for putting it back.
type state struct {
	absent  bool
	link    string // target of a link, else empty
	content []byte
	mode    fs.FileMode
}

// Plan works out every change without writing anything. The error lists every
// file that cannot be read or understood.
func (r Repin) Plan() ([]Change, error) {
	var changes []Change
	var wrong *multierror.Error
	if err := checkChannel(r.Channel); err != nil {
		wrong = multierror.Append(wrong, err)
	}
	consider := func(path string, plan func(string) (*Change, error)) {
		change, err := plan(path)
		switch {
		case err != nil:
			wrong = multierror.Append(wrong, fmt.Errorf("%s: %w", path, err))
		case change != nil:
			changes = append(changes, *change)
		}
	}
	if r.Pin != "" {
		consider(r.Pin, r.planPin)
	}
	for _, path := range r.Files {
		if r.Link {
			consider(path, r.planLink)
		} else {
			consider(path, r.planRewrite)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(r.Also)) {
		consider(path, r.planAlso)
	}
	if err := wrong.ErrorOrNil(); err != nil {
		return nil, err
	}
	return changes, nil
}

// planAlso replaces the content of a file or makes the file.
func (r Repin) planAlso(path string) (*Change, error) {
	before, err := stateOf(path)
	old := OtherText
	if errors.Is(err, fs.ErrNotExist) {
		before, old, err = state{absent: true, mode: 0o644}, NewFile, nil
	}
	if err != nil {
		return nil, err
	}
	if !before.absent && bytes.Equal(before.content, r.Also[path]) {
		return nil, nil
	}
	return &Change{Path: path, Old: old, New: r.Channel, content: r.Also[path], before: before}, nil
}

// planPin changes our own pin; what the old channel was expected to be says
// nothing about the new one.
func (r Repin) planPin(path string) (*Change, error) {
	before, err := stateOf(path)
	if err != nil {
		return nil, err
	}
	doc, err := tomledit.Parse(before.content)
	if err != nil {
		return nil, err
	}
	old, _ := doc.Get("toolchain", "channel")
	if old.Text == r.Channel {
		return nil, nil
	}
	if err := doc.Set(r.Channel, "toolchain", "channel"); err != nil {
		return nil, err
	}
	for _, key := range []string{"release", "commit"} {
		if err := doc.Delete("expected", key); err != nil && !errors.Is(err, tomledit.ErrNoKey) {
			return nil, err
		}
	}
	return &Change{Path: path, Old: old.Text, New: r.Channel, content: doc.Bytes(), before: before}, nil
}

// planRewrite changes the channel in place. A file that is a link to the pin,
// or to another file that is rewritten too, follows by itself.
func (r Repin) planRewrite(path string) (*Change, error) {
	before, err := stateOf(path)
	if err != nil {
		return nil, err
	}
	if before.link != "" && r.follows(path) {
		return nil, nil
	}
	old, _, err := FileChannel(path)
	if err != nil {
		return nil, err
	}
	if old == r.Channel {
		return nil, nil
	}
	content, err := r.rewritten(path, before.content)
	if err != nil {
		return nil, err
	}
	return &Change{Path: path, Old: old, New: r.Channel, content: content, before: before}, nil
}

// follows tells whether the link at path leads to a file that gets the new
// channel anyway.
func (r Repin) follows(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	for _, other := range append([]string{r.Pin}, r.Files...) {
		info, err := os.Lstat(other)
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			continue
		}
		if same, err := filepath.EvalSymlinks(other); err == nil && same == real {
			return true
		}
	}
	return false
}

// rewritten is the new text: the old form keeps its white space, and in TOML
// a path makes way, since rustup refuses a channel beside it.
func (r Repin) rewritten(path string, content []byte) ([]byte, error) {
	if old, ok := legacy(path, content); ok {
		if old == "" {
			return []byte(r.Channel + "\n"), nil
		}
		return bytes.Replace(content, []byte(old), []byte(r.Channel), 1), nil
	}
	doc, err := tomledit.Parse(content)
	if err != nil {
		return nil, err
	}
	if err := doc.Set(r.Channel, "toolchain", "channel"); err != nil {
		return nil, err
	}
	if err := doc.Delete("toolchain", "path"); err != nil && !errors.Is(err, tomledit.ErrNoKey) {
		return nil, err
	}
	return doc.Bytes(), nil
}

// planLink makes the file a relative link to the pin.
func (r Repin) planLink(path string) (*Change, error) {
	before, err := stateOf(path)
	if err != nil {
		return nil, err
	}
	old := "link:" + before.link
	if before.link == "" {
		if old, _, err = FileChannel(path); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	pin, err := filepath.EvalSymlinks(r.Pin)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if pin, err = filepath.Abs(pin); err != nil {
		return nil, err
	}
	target, err := filepath.Rel(dir, pin)
	if err != nil {
		return nil, err
	}
	if before.link == target {
		return nil, nil
	}
	return &Change{Path: path, Old: old, New: "link:" + target, before: before}, nil
}

// stateOf reads a file and what kind it is.
func stateOf(path string) (state, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return state{}, err
	}
	before := state{mode: info.Mode().Perm()}
	if info.Mode()&fs.ModeSymlink != 0 {
		if before.link, err = os.Readlink(path); err != nil {
			return state{}, err
		}
		before.mode = 0o644
	} else if !info.Mode().IsRegular() {
		return state{}, errors.New("not a file")
	}
	before.content, err = os.ReadFile(path)
	return before, err
}

// RewritePin plans and applies: either every file is changed or none is.
func RewritePin(r Repin) ([]Change, error) {
	changes, err := r.Plan()
	if err != nil {
		return nil, err
	}
	return changes, apply(changes, (*Change).write)
}

// apply writes all changes and puts everything back when one fails.
func apply(changes []Change, write func(*Change) error) error {
	for i := range changes {
		err := write(&changes[i])
		if err == nil {
			continue
		}
		failure := multierror.Append(nil, fmt.Errorf("%s: %w; nothing is changed", changes[i].Path, err))
		for _, done := range slices.Backward(changes[:i]) {
			if err := done.before.restore(done.Path); err != nil {
				failure = multierror.Append(failure, fmt.Errorf("%s: could not be put back: %w", done.Path, err))
			}
		}
		return failure
	}
	return nil
}

func (c *Change) write() error {
	if target, isLink := strings.CutPrefix(c.New, "link:"); isLink {
		return renameio.Symlink(target, c.Path)
	}
	if c.before.absent {
		if err := os.MkdirAll(filepath.Dir(c.Path), 0o755); err != nil {
			return err
		}
	}
	return renameio.WriteFile(c.Path, c.content, c.before.mode)
}

func (s state) restore(path string) error {
	if s.absent {
		return os.Remove(path)
	}
	if s.link != "" {
		return renameio.Symlink(s.link, path)
	}
	return renameio.WriteFile(path, s.content, s.mode)
}
