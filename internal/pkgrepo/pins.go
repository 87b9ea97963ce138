package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/pkgar"
)

// KeyChangedError: a repository offers another key than the pinned one.
type KeyChangedError struct {
	Repo            string
	Pinned, Offered pkgar.PublicKey
	Since           time.Time
	File            string
}

func (e *KeyChangedError) Error() string {
	return fmt.Sprintf("repository %s offers the key %v, but %v has been pinned since %s; if the change is legitimate, remove it from %s",
		e.Repo, e.Offered, e.Pinned, e.Since.UTC().Format(time.DateOnly), e.File)
}

// pin is the key of one repository.
type pin struct {
	PKey  string    `toml:"pkey"`
	Since time.Time `toml:"since"`
}

func (p pin) key() (pkgar.PublicKey, error) {
	return pkgar.ParsePublicKey(fmt.Appendf(nil, "pkey = %q", p.PKey))
}

// pinFile is the state file with the keys of all repositories.
type pinFile string

func (f pinFile) read() (map[string]pin, error) {
	var content struct {
		Repo map[string]pin `toml:"repo"`
	}
	data, err := os.ReadFile(string(f))
	if err == nil {
		_, err = toml.Decode(string(data), &content)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if content.Repo == nil {
		content.Repo = map[string]pin{}
	}
	if err != nil {
		return nil, fmt.Errorf("pinned keys %s: %w", string(f), err)
	}
	return content.Repo, nil
}

// get is the pinned key of a repository, and false if there is none.
func (f pinFile) get(repo string) (pkgar.PublicKey, time.Time, bool, error) {
	pins, err := f.read()
	if err != nil {
		return pkgar.PublicKey{}, time.Time{}, false, err
	}
	p, ok := pins[repo]
	if !ok {
		return pkgar.PublicKey{}, time.Time{}, false, nil
	}
	key, err := p.key()
	if err != nil {
		err = fmt.Errorf("pinned key of %s in %s: %w", repo, string(f), err)
	}
	return key, p.Since, true, err
}

// check pins the key if the repository has none, and refuses another one than the pinned.
func (f pinFile) check(ctx context.Context, repo string, key pkgar.PublicKey, now time.Time) error {
	lock, err := lockfile.Wait(ctx, string(f)+".lock", func() {})
	if err != nil {
		return fmt.Errorf("lock the pinned keys: %w", err)
	}
	defer lock.Release()
	pinned, since, ok, err := f.get(repo)
	if err != nil {
		return err
	}
	if !ok {
		return f.add(repo, pin{PKey: key.String(), Since: now})
	}
	if pinned != key {
		return &KeyChangedError{Repo: repo, Pinned: pinned, Offered: key, Since: since, File: string(f)}
	}
	return nil
}

func (f pinFile) add(repo string, p pin) error {
	pins, err := f.read()
	if err != nil {
		return err
	}
	pins[repo] = p
	var b strings.Builder
	b.WriteString("# Keys of package repositories, as first seen. Another key is refused; remove an entry to accept a new key.\n")
	for _, name := range sortedKeys(pins) {
		fmt.Fprintf(&b, "\n[repo.%s]\npkey = %s\nsince = %s\n", quoteKey(name), quote(pins[name].PKey), pins[name].Since.UTC().Format(time.RFC3339))
	}
	return renameio.WriteFile(string(f), []byte(b.String()), 0o644)
}
