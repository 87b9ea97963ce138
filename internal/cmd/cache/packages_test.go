package cache

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// packagesCached is a session with a repository of the packages "old" and "young", both fetched, and a download that broke off.
func packagesCached(t *testing.T) (s *session.Session, out *bytes.Buffer, repo, partial string) {
	t.Helper()
	s, out = sessiontest.New(t)
	s.Streams.Err = sessiontest.DevNull(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(s.Config.Root, 0o755))
	repo = filepath.Join(s.Config.Root, "repo")
	for _, name := range []string{"old", "young"} {
		sessiontest.Publish(t, repo, packages.Target(s), sessiontest.Package{Name: name, Version: "1", File: "usr/share/" + name, Text: name})
		must(fetch(t, s, repo, pkgrepo.Name(name)))
		refs, err := packages.Archives(s).References()
		must(err)
		used := later.Add(-40 * 24 * time.Hour)
		if name == "young" {
			break
		}
		must(os.Chtimes(filepath.Join(s.Config.Packages(), "archives", refs[0].Name()+".ref"), used, used))
	}
	partial = filepath.Join(s.Config.Packages(), "partial", "x.part")
	sessiontest.WriteFile(t, partial, "half", 0o644)
	used := later.Add(-40 * 24 * time.Hour)
	must(os.Chtimes(partial, used, used))
	out.Reset()
	return s, out, repo, partial
}

func fetch(t *testing.T, s *session.Session, repo string, names ...pkgrepo.Name) error {
	t.Helper()
	_, err := packages.Fetch(t.Context(), s, names, repo)
	return err
}

func cachedRefs(t *testing.T, s *session.Session) []pkgrepo.Reference {
	t.Helper()
	refs, err := packages.Archives(s).References()
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

// A collection takes the package that was not used for longest and what a download left, by age and by size.
func TestCollectPackages(t *testing.T) {
	for _, bounds := range []Bounds{{Age: 30 * 24 * time.Hour}, {Size: 450}} {
		s, out, repo, partial := packagesCached(t)
		for _, dry := range []bool{true, false} {
			s.Config.DryRun = dry
			out.Reset()
			if err := Collect(t.Context(), s, bounds, later); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "1 archives of packages, which are among the blobs, and 1 unfinished downloads") {
				t.Errorf("%v, dry %v: %s", bounds, dry, out)
			}
			refs := cachedRefs(t, s)
			if want := map[bool]int{true: 2, false: 1}[dry]; len(refs) != want || exists(partial) != dry {
				t.Errorf("%v, dry %v: %d packages, partial download %v", bounds, dry, len(refs), exists(partial))
			}
			for _, r := range refs {
				if !s.Store.Has(r.Blob) {
					t.Errorf("%v, dry %v: the blob of a package that stays is gone", bounds, dry)
				}
			}
		}
		blobs := 0
		if err := s.Store.Walk(func(cas.Digest, fs.FileInfo) error { blobs++; return nil }); err != nil || blobs != 1 {
			t.Errorf("%v: %d blobs left, %v", bounds, blobs, err)
		}
		s.Config.DryRun, s.Config.Offline = false, true
		if err := fetch(t, s, repo, "young"); err != nil {
			t.Errorf("%v: what stays works offline: %v", bounds, err)
		}
		if err := fetch(t, s, repo, "old"); err == nil {
			t.Errorf("%v: what went is there offline", bounds)
		}
		s.Config.Offline = false
		if err := fetch(t, s, repo, "old"); err != nil {
			t.Errorf("%v: what went comes again: %v", bounds, err)
		}
	}
}

// A package that was used within the hour stays, whatever the bounds.
func TestCollectKeepsFreshPackages(t *testing.T) {
	s, _, repo, _ := packagesCached(t)
	if err := fetch(t, s, repo, "old"); err != nil { // used now
		t.Fatal(err)
	}
	if err := Collect(t.Context(), s, Bounds{Size: 1, Age: time.Second}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if refs := cachedRefs(t, s); len(refs) != 2 {
		t.Errorf("%d packages left, want both", len(refs))
	}
}

// A flipped byte in a cached package is found and dropped, and the package comes again.
func TestVerifyPackages(t *testing.T) {
	s, out, repo, _ := packagesCached(t)
	if err := Verify(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	path, err := s.Store.Path(cachedRefs(t, s)[0].Blob)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	sessiontest.WriteFile(t, path, string(data), 0o444)
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := Verify(t.Context(), s); err == nil || !strings.Contains(err.Error(), "1 packages") || !strings.Contains(out.String(), "its archive is damaged") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := Verify(t.Context(), s); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if refs := cachedRefs(t, s); len(refs) != 1 {
		t.Errorf("%d packages left, want 1", len(refs))
	}
	if err := fetch(t, s, repo, "old", "young"); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := Stats(t.Context(), s); err != nil || !strings.Contains(out.String(), "of cas: 2 archives of packages") {
		t.Errorf("%v\n%s", err, out)
	}
}
