package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/trust"
	"github.com/pannous/redox-clif/internal/process"
)

// KeyChangedError says that a repository offers another key than the pinned one.
type KeyChangedError struct {
	Repo            string
	Pinned, Offered pkgar.PublicKey
	Since           time.Time
	File            string
}

func (e *KeyChangedError) Error() string {
	return fmt.Sprintf("repository %s offers the key %v, but %v has been pinned since %s; if the change is legitimate, `rm -f %s` "+
		"forgets the repository", e.Repo, e.Offered, e.Pinned, e.Since.UTC().Format(time.DateOnly), process.Quote([]string{e.File, trust.Copy(e.File)}))
}

// pin is the key of one repository.
type pin struct {
	PKey  string    `toml:"pkey"`
	Since time.Time `toml:"since"`
}

func (p pin) key() (pkgar.PublicKey, error) {
	return pkgar.ParsePublicKey(fmt.Appendf(nil, "pkey = %q", p.PKey))
}

// pinFile is the file with the keys of all repositories as earlier versions wrote it; it is only read.
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

// old is the key that an earlier version pinned for a repository, nil if there is none.
func (f pinFile) old(repo string) (*pkgar.PublicKey, time.Time, error) {
	if f == "" {
		return nil, time.Time{}, nil
	}
	pins, err := f.read()
	p, ok := pins[repo]
	if err != nil || !ok {
		return nil, time.Time{}, err
	}
	key, err := p.key()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("pinned key of %s in %s: %w", repo, string(f), err)
	}
	return &key, p.Since, nil
}

// remembered completes the memory of a repository with what an earlier version pinned.
func (c *Client) remembered(r *repo, m *trust.Repository) error {
	if m.Key != "" {
		return nil
	}
	key, since, err := pinFile(c.config.OldPins).old(r.Name)
	if err == nil && key != nil {
		m.Key, m.Since = key.String(), since
	}
	return err
}

// pinnedKey is the key that was seen before.
func (c *Client) pinnedKey(r *repo) (key pkgar.PublicKey, err error) {
	m, err := c.trust.Repository(r.Name)
	if err == nil {
		err = c.remembered(r, &m)
	}
	if err != nil {
		return key, err
	}
	if m.Key == "" {
		return key, fmt.Errorf("%w: it was not seen before (%s)", ErrOffline, c.trust.File(r.Name))
	}
	return parseKey(m.Key)
}

func parseKey(text string) (pkgar.PublicKey, error) { return pin{PKey: text}.key() }

// pin remembers the key if the repository has none yet, and refuses another one than the remembered.
func (c *Client) pin(ctx context.Context, r *repo, key pkgar.PublicKey) error {
	return c.trust.Update(ctx, r.Name, func(m *trust.Repository) error {
		if err := c.remembered(r, m); err != nil {
			return err
		}
		if m.Key == "" {
			m.Key, m.Since = key.String(), c.config.Now().UTC()
			c.firstLock.Lock()
			defer c.firstLock.Unlock()
			c.first = append(c.first, FirstSeen{Repo: r.Name, Key: key, File: c.trust.File(r.Name)})
		}
		if m.Key == key.String() {
			return nil
		}
		pinned, err := parseKey(m.Key)
		if err != nil {
			return err
		}
		return &KeyChangedError{Repo: r.Name, Pinned: pinned, Offered: key, Since: m.Since, File: c.trust.File(r.Name)}
	})
}
