package pkgrepo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
)

// fetchedOne is the only archive of a client's cache, after it was fetched.
func fetchedOne(t *testing.T, c *Client) (Fetched, Reference) {
	t.Helper()
	fetched, err := fetchAll(c, "a")
	if err != nil {
		t.Fatal(err)
	}
	refs, err := c.archives.References()
	if err != nil || len(refs) != 1 {
		t.Fatalf("references %v, %v", refs, err)
	}
	return fetched[0], refs[0]
}

// TestArchives: whatever happens to an archive in the cache, the next fetch has it again, and leaves nothing beside it.
func TestArchives(t *testing.T) {
	for name, harm := range map[string]func(c *Client, f Fetched, r Reference) error{
		"flipped":                       func(_ *Client, f Fetched, _ Reference) error { return rewrite(f.File, false) },
		"flipped and the time set back": func(_ *Client, f Fetched, _ Reference) error { return rewrite(f.File, true) },
		"collected":                     func(c *Client, _ Fetched, r Reference) error { return c.archives.Store.Remove(r.Blob) },
		"forgotten":                     func(_ *Client, _ Fetched, r Reference) error { return r.Forget() },
		"reference unreadable":          func(_ *Client, _ Fetched, r Reference) error { return os.WriteFile(r.file, []byte("x"), 0o644) },
		"reference to other":            func(c *Client, _ Fetched, r Reference) error { return refer(c, r) },
		"nothing":                       func(*Client, Fetched, Reference) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			publish(t, dir, 1, pkg(t, "a"))
			c := testClient(t, nil, dir)
			f, r := fetchedOne(t, c)
			if err := harm(c, f, r); err != nil {
				t.Fatal(err)
			}
			again, _ := fetchedOne(t, c)
			if err := (&wanted{c: c, hash: mustHash(t, again), key: again.Key}).verify(t.Context(), again.File); err != nil {
				t.Error(err)
			}
			if done, parts := left(t, c); len(done) != 1 || len(parts) != 0 {
				t.Errorf("in the cache: %v, parts %v", done, parts)
			}
		})
	}
}

func mustHash(t *testing.T, f Fetched) (h [32]byte) {
	t.Helper()
	hash, err := f.TableHash()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// rewrite changes a byte of a file, and can hide that.
func rewrite(file string, hide bool) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	data[len(data)-1] ^= 1
	if err := os.Chmod(file, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(file, data, 0o644); err != nil || !hide {
		return err
	}
	return os.Chtimes(file, info.ModTime(), info.ModTime())
}

// refer makes a reference lead to a blob that is no archive.
func refer(c *Client, r Reference) error {
	other, err := c.archives.Store.PutBytes([]byte("not an archive"))
	if err != nil {
		return err
	}
	if err := c.archives.Store.Remove(r.Blob); err != nil {
		return err
	}
	return os.WriteFile(r.file, []byte(other.String()), 0o644)
}

// TestPartials: a download under way is not thrown away.
func TestPartials(t *testing.T) {
	a := Archives{Dir: filepath.Join(t.TempDir(), "a [b]")}
	if err := os.MkdirAll(a.parts(), 0o755); err != nil {
		t.Fatal(err)
	}
	running, dead := a.partOf("running"), a.partOf("dead")
	lock, err := lockfile.Try(running)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if err := os.WriteFile(dead, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := a.Partials()
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, p := range list {
		removed, err := p.Remove()
		if err != nil || removed != (p.file == dead) {
			t.Errorf("%s: removed %t, %v", p.file, removed, err)
		}
	}
	if left, _ := globdir.In(a.parts(), "*"); len(left) != 1 || left[0] != running {
		t.Errorf("left: %v", left)
	}
}
