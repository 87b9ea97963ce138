package sessiontest

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
)

// Package is a package with one file.
type Package struct{ Name, Version, File, Text, Depends string }

// Publish adds packages to the repository in a folder, always by the same key.
func Publish(t *testing.T, repo, target string, list ...Package) {
	t.Helper()
	key, err := pkgar.GenerateKey(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		tree := t.TempDir()
		WriteFile(t, filepath.Join(tree, p.File), p.Text, 0o755)
		one := pkgrepo.Publishing{Name: pkgrepo.Name(p.Name), Version: p.Version, Tree: tree}
		if p.Depends != "" {
			one.Depends = []pkgrepo.Name{pkgrepo.Name(p.Depends)}
		}
		if _, err := pkgrepo.Publish(t.Context(), repo, target, key, time.Unix(1768996800, 0), []pkgrepo.Publishing{one}); err != nil {
			t.Fatal(err)
		}
	}
}

// PackageWorld is a checkout whose packages.toml names one repository: words, greeter that needs words, vim that needs a
// library of ncurses. It returns the repository's folder too.
func PackageWorld(t *testing.T, target string) (*session.Session, string) {
	t.Helper()
	s := InCheckout(t, nil)
	s.Streams.Err = DevNull(t)
	s.Config.Cache = filepath.Join(s.Config.Root, "cache")
	repo := filepath.Join(s.Config.Root, "repo")
	Publish(t, repo, target,
		Package{"words", "1", "usr/share/words", "hello", ""},
		Package{"greeter", "1", "usr/bin/greeter", "a program", "words"},
		Package{"vim", "1", "usr/bin/vim", DynamicProgram(t, "libncursesw.so.6"), ""},
		Package{"ncurses", "1", "usr/lib/libncursesw.so.6", "library", ""})
	WriteFile(t, filepath.Join(s.Config.Root, "packages.toml"), "[[repository]]\nname = 'test'\nurl = 'repo'\n", 0o644)
	return s, repo
}
