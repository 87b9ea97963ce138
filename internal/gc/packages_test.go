package gc_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// packagesCached is a session with a repository of the packages "old" and "young", both fetched, and a download that broke off.
func packagesCached(t *testing.T) (s *session.Session, repo, partial string) {
	t.Helper()
	s, _ = sessiontest.New(t)
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
	return s, repo, partial
}

func fetch(t *testing.T, s *session.Session, repo string, names ...pkgrepo.Name) error {
	t.Helper()
	_, err := packages.Fetch(t.Context(), s, names, packages.Choice{Repo: repo})
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
	for _, bounds := range []gc.Bounds{{Age: 30 * 24 * time.Hour}, {Size: 450}} {
		s, repo, partial := packagesCached(t)
		for _, dry := range []bool{true, false} {
			done, err := cacheOf(s).Collect(t.Context(), bounds, later, dry)
			if err != nil {
				t.Fatal(err)
			}
			if done.Archives != 1 || done.Partial != 1 {
				t.Errorf("%v, dry %v: %+v", bounds, dry, done)
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
		s.Config.Offline = true
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
	s, repo, _ := packagesCached(t)
	if err := fetch(t, s, repo, "old"); err != nil { // used now
		t.Fatal(err)
	}
	if _, err := cacheOf(s).Collect(t.Context(), gc.Bounds{Size: 1, Age: time.Second}, time.Now().Add(time.Minute), false); err != nil {
		t.Fatal(err)
	}
	if refs := cachedRefs(t, s); len(refs) != 2 {
		t.Errorf("%d packages left, want both", len(refs))
	}
}

// A flipped byte in a cached package is found and dropped, and the package comes again.
func TestVerifyPackages(t *testing.T) {
	s, repo, _ := packagesCached(t)
	if v, err := cacheOf(s).Verify(t.Context()); err != nil || v.Dropped() != 0 {
		t.Fatal(v, err)
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
	if v, err := cacheOf(s).Verify(t.Context()); err != nil || len(v.Packages) != 1 || len(v.Damaged) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := cacheOf(s).Verify(t.Context()); err != nil || v.Dropped() != 0 {
		t.Errorf("the second time: %+v, %v", v, err)
	}
	if refs := cachedRefs(t, s); len(refs) != 1 {
		t.Errorf("%d packages left, want 1", len(refs))
	}
	if err := fetch(t, s, repo, "old", "young"); err != nil {
		t.Fatal(err)
	}
	if inv, err := cacheOf(s).Inventory(t.Context()); err != nil || inv.Archives != 2 {
		t.Errorf("%+v, %v", inv, err)
	}
}
