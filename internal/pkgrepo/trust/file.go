package trust

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/process"
)

// copySuffix ends the name of the second copy of a file.
const copySuffix = ".copy"

// DamagedError says that both copies of a file are damaged, so that nothing is known of what was seen before.
type DamagedError struct{ File string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s and its copy are both damaged, and with them what was remembered of packages; `rm -rf %s` starts anew: keys are then trusted "+
		"as they are seen first", e.File, process.Quote([]string{e.File, e.File + copySuffix}))
}

// file is a small file that outlives damage: there are two copies, each with a checksum, and the newest sound one counts.
type file string

// sealed is the content of a copy.
type sealed struct {
	Generation uint64          `json:"generation"` // rises with each change
	SHA256     string          `json:"sha256"`     // of content
	Content    json.RawMessage `json:"content"`
}

// maxFile is more than any copy has, in bytes.
const maxFile = 64 << 20

// readCopy is one copy: nil without an error if there is none.
func readCopy(path string) (*sealed, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile { // a pipe would be waited for
		return nil, fmt.Errorf("%s is no file of ours", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &sealed{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(s.Content)); sum != s.SHA256 {
		return nil, fmt.Errorf("%s: its checksum does not match", path)
	}
	return s, nil
}

// read finds the newest sound copy; the zero value if the file was never written. whole is false when a copy has to be written anew.
func (f file) read() (newest sealed, whole bool, err error) {
	first, firstErr := readCopy(string(f))
	second, secondErr := readCopy(string(f) + copySuffix)
	switch {
	case first != nil && (second == nil || first.Generation >= second.Generation):
		newest = *first
	case second != nil:
		newest = *second
	case firstErr != nil || secondErr != nil:
		return newest, false, errors.Join(&DamagedError{File: string(f)}, firstErr, secondErr)
	}
	whole = (first == nil) == (second == nil) && (first == nil || first.Generation == second.Generation)
	return newest, whole, nil
}

// load reads the file into value, which stays as it is if there is none.
func (f file) load(value any) error {
	s, _, err := f.read()
	if err != nil || s.Content == nil {
		return err
	}
	return json.Unmarshal(s.Content, value)
}

// update lets change alter value, which begins as the file has it, and writes the file if that made a difference. Processes do so one
// after the other. On an error of change nothing is written.
func (f file) update(ctx context.Context, value any, change func() error) error {
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o755); err != nil {
		return err
	}
	lock, err := lockfile.Wait(ctx, string(f)+".lock", func() {})
	if err != nil {
		return fmt.Errorf("lock what is remembered of packages: %w", err)
	}
	defer lock.Release()
	s, whole, err := f.read()
	if err != nil {
		return err
	}
	if s.Content != nil {
		if err := json.Unmarshal(s.Content, value); err != nil {
			return err
		}
	}
	if err := change(); err != nil {
		return err
	}
	content, err := json.Marshal(value)
	if err != nil || whole && string(content) == string(s.Content) {
		return err
	}
	return f.write(sealed{Generation: s.Generation + 1, SHA256: fmt.Sprintf("%x", sha256.Sum256(content)), Content: content})
}

// write replaces one copy after the other, so that there is always a sound one.
func (f file) write(s sealed) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	for _, path := range []string{string(f) + copySuffix, string(f)} {
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // damage: a rename does not replace a folder
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
		if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}
