package session

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
)

func TestWorkThatMeetsDamageIsDoneOnceMore(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	other := errors.New("something else")
	for _, c := range []struct {
		name string
		errs []error // of the tries
		want error
		runs int
	}{
		{"whole", []error{nil}, nil, 1},
		{"damaged", []error{&cas.MissingError{Damaged: true}, nil}, nil, 2},
		{"never whole", []error{&cas.MissingError{}, other, nil}, other, 2},
		{"something else", []error{other, nil}, other, 1},
	} {
		runs := 0
		err := Run(func() (*Session, error) { return &Session{Streams: Streams{Err: null}}, nil }, func(s *Session) error {
			if s.distrust != (runs > 0) {
				t.Errorf("%s: run %d: distrust %t", c.name, runs, s.distrust)
			}
			runs++
			return c.errs[runs-1]
		})
		if err != c.want || runs != c.runs {
			t.Errorf("%s: %v after %d runs", c.name, err, runs)
		}
	}
}

func TestFoldersOfTheCacheThatAreNoneAreMade(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"file":          func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"pipe":          func(path string) error { return unix.Mkfifo(path, 0o644) },
		"dangling link": func(path string) error { return os.Symlink("nowhere", path) },
		"no rights":     func(path string) error { return os.Mkdir(path, 0) },
	} {
		cache := t.TempDir()
		for _, part := range config.CacheParts() {
			if err := put(filepath.Join(cache, part)); err != nil {
				t.Fatal(err)
			}
		}
		mendFolders(cache)
		for _, part := range config.CacheParts() {
			info, err := os.Stat(filepath.Join(cache, part))
			if err != nil || !info.IsDir() || info.Mode().Perm()&0o700 != 0o700 {
				t.Errorf("%s as a %s: %v, %v", part, name, info, err)
			}
		}
	}
}

func TestLinkedFoldersOfTheCacheStay(t *testing.T) {
	cache, other := t.TempDir(), t.TempDir()
	link := filepath.Join(cache, "sources")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	mendFolders(cache)
	if to, err := os.Readlink(link); err != nil || to != other {
		t.Errorf("%q, %v", to, err)
	}
}
