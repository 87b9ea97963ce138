package gc_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// later is when the collections of these tests happen: long after everything was stored.
var later = time.Now().Add(48 * time.Hour)

// cacheOf are the parts of a session's cache.
func cacheOf(s *session.Session) *gc.Cache {
	return &gc.Cache{
		Dir: s.Config.Cache, Locks: s.Config.Locks(), Store: s.Store, Actions: s.Actions, Work: s.Roots(), Toolchains: s.BuiltToolchains(), CargoHome: s.Config.Crates(),
		Archives: pkgrepo.Archives{Store: s.Store, Dir: s.Config.Packages()}, Checkout: s.Config.Root,
	}
}

// result stores an action with an output of some size, last used so many days before later.
func result(t *testing.T, s *session.Session, name string, size int, days int) (*action.Action, cas.Digest) {
	t.Helper()
	blob, err := s.Store.PutBytes([]byte(strings.Repeat(name[:1], size)))
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Store.PutDirectory(&cas.Directory{Files: []cas.FileNode{{Name: name, Digest: blob}}})
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := s.Store.PutDirectory(&cas.Directory{})
	if err != nil {
		t.Fatal(err)
	}
	a := &action.Action{Args: []string{name}, Inputs: inputs}
	if err := s.Actions.Put(a.Digest(), action.Result{Output: out, Node: name}); err != nil {
		t.Fatal(err)
	}
	used := later.Add(-time.Duration(days) * 24 * time.Hour)
	hash := a.Digest().Hash
	if err := os.Chtimes(filepath.Join(s.Actions.Dir(), hash[:2], hash), used, used); err != nil {
		t.Fatal(err)
	}
	return a, out
}

// lastingFolder makes a work folder of some size by running a command there.
func lastingFolder(t *testing.T, s *session.Session, key string, days int) string {
	t.Helper()
	r := s.Roots()
	inputs, err := s.Store.PutDirectory(&cas.Directory{})
	if err != nil {
		t.Fatal(err)
	}
	a := &action.Action{Args: []string{"/bin/sh", "-c", "head -c 5000 /dev/zero >state"}, Env: map[string]string{"PATH": "/usr/bin:/bin"}, Inputs: inputs}
	_, err = r.Run(t.Context(), execroot.Spec{Action: a, Key: key, State: []string{"state"}, Log: io.Discard}, func(context.Context, string) (*cas.Tree, error) { return cas.NewTree(), nil })
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(r.Dir, key)
	used := later.Add(-time.Duration(days) * 24 * time.Hour)
	if err := os.Chtimes(dir, used, used); err != nil {
		t.Fatal(err)
	}
	return dir
}

// has looks past the action cache: asking that for a result makes the result a used one.
func has(s *session.Session, a *action.Action, out cas.Digest) bool {
	hash := a.Digest().Hash
	return exists(filepath.Join(s.Actions.Dir(), hash[:2], hash)) && s.Store.Complete(out) == nil
}

func TestCollectByAge(t *testing.T) {
	s, _ := sessiontest.New(t)
	old, oldOut := result(t, s, "old", 100, 40)
	used, usedOut := result(t, s, "young", 100, 1)
	mine, mineOut := result(t, s, "mine", 100, 40)
	if err := s.History.Put("recipe/mine", &graph.Record{Action: mine, Output: mineOut}); err != nil {
		t.Fatal(err)
	}
	oldDir, youngDir := lastingFolder(t, s, "step/old", 40), lastingFolder(t, s, "step/young", 1)
	lost, err := s.Store.PutBytes([]byte("nobody needs this"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		done, err := cacheOf(s).Collect(t.Context(), gc.Bounds{Age: 30 * 24 * time.Hour}, later, dry)
		if err != nil {
			t.Fatal(err)
		}
		if done.DryRun != dry || done.Results != 1 || done.Blobs != 3 || done.Folders != 1 {
			t.Errorf("dry %v: %+v", dry, done)
		}
		if has(s, old, oldOut) != dry || s.Store.Has(lost) != dry || exists(oldDir) != dry {
			t.Errorf("dry %v: the old ones: result %v, blob %v, folder %v", dry, has(s, old, oldOut), s.Store.Has(lost), exists(oldDir))
		}
		if !has(s, used, usedOut) || !has(s, mine, mineOut) || !exists(youngDir) {
			t.Errorf("dry %v: what is in use was taken", dry)
		}
	}
}

// No result has the files of a source folder: a collection takes them, and the next build stores them again.
func TestAfterACollectionSourcesAreStoredAgain(t *testing.T) {
	s, _ := sessiontest.New(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.rs"), []byte("fn main() {}"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // so that the stat cache knows the file
	build := func() {
		t.Helper()
		stats := s.Store.OpenStatCache(filepath.Join(s.Config.State(), "stats"))
		tree, err := s.Store.PutFolder(t.Context(), dir, cas.CaptureOptions{Stats: stats, Store: true, Trusted: true})
		if err == nil {
			err = errors.Join(stats.Save(), s.Store.Complete(tree))
		}
		if err != nil {
			t.Error(err)
		}
	}
	build()
	if _, err := cacheOf(s).Collect(t.Context(), gc.Bounds{}, later, false); err != nil {
		t.Fatal(err)
	}
	if s.Store.Has(cas.DigestBytes([]byte("fn main() {}"))) {
		t.Fatal("the collection left the source")
	}
	build()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// The least recently used goes first, and no more than has to.
func TestCollectBySize(t *testing.T) {
	s, _ := sessiontest.New(t)
	a, aOut := result(t, s, "a", 4000, 9)
	dir := lastingFolder(t, s, "step/key", 8)
	b, bOut := result(t, s, "b", 4000, 7)
	c, cOut := result(t, s, "c", 4000, 6)
	done, err := cacheOf(s).Collect(t.Context(), gc.Bounds{Size: 9000}, later, false)
	if err != nil {
		t.Fatal(err)
	}
	if has(s, a, aOut) || exists(dir) || !has(s, b, bOut) || !has(s, c, cOut) {
		t.Errorf("a %v, folder %v, b %v, c %v; want only b and c\n%+v", has(s, a, aOut), exists(dir), has(s, b, bOut), has(s, c, cOut), done)
	}
}

// Builds take crates from their archives: what cargo unpacked beside them goes whatever the bounds are, unless a cargo may just have done it.
func TestUnpackedCratesGo(t *testing.T) {
	s, _ := sessiontest.New(t)
	unpacked := filepath.Join(s.Config.Crates(), "registry/src/index-1/a-1.0.0")
	archive := filepath.Join(s.Config.Crates(), "registry/cache/index-1/a-1.0.0.crate")
	for _, file := range []string{filepath.Join(unpacked, "lib.rs"), archive} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("1234567"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		now    time.Time
		dryRun bool
		want   int
		there  bool
	}{{time.Now(), false, 0, true}, {later, true, 1, true}, {later, false, 1, false}, {later, false, 0, false}} {
		done, err := cacheOf(s).Collect(t.Context(), gc.Bounds{}, c.now, c.dryRun)
		if err != nil || done.Unpacked != c.want || done.Freed != int64(7*c.want) {
			t.Errorf("%v: %+v, %v", c, done, err)
		}
		if _, err := os.Stat(unpacked); (err == nil) != c.there {
			t.Errorf("%v: %v", c, err)
		}
	}
	if _, err := os.Stat(archive); err != nil {
		t.Error(err)
	}
}

func TestVerifyReportsAndDrops(t *testing.T) {
	s, _ := sessiontest.New(t)
	whole, wholeOut := result(t, s, "whole", 10, 0)
	broken, _ := result(t, s, "broken", 10, 0)
	verify := func() *gc.Verification {
		t.Helper()
		v, err := cacheOf(s).Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := verify(); v.Dropped() != 0 || v.Results != 2 {
		t.Errorf("%+v", v)
	}
	if err := s.Store.Remove(cas.DigestBytes([]byte(strings.Repeat("b", 10)))); err != nil {
		t.Fatal(err)
	}
	if v := verify(); v.Dropped() != 1 || v.Incomplete[0].Node != "broken" {
		t.Errorf("%+v", v)
	}
	if _, ok, _ := s.Actions.Get(broken.Digest()); ok || !has(s, whole, wholeOut) {
		t.Error("the wrong result was dropped")
	}
	if v := verify(); v.Dropped() != 0 {
		t.Errorf("the second time: %+v", v)
	}
}

func TestSweepOfRepros(t *testing.T) {
	s, _ := sessiontest.New(t)
	left, running := filepath.Join(s.Config.Cache, config.ReproPrefix+"1", "a"), filepath.Join(s.Config.Cache, config.ReproPrefix+"2")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Try(filepath.Join(running, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if _, err := cacheOf(s).Collect(t.Context(), gc.Bounds{}, later, false); err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Dir(left)) || !exists(running) {
		t.Errorf("left %v, running %v", exists(filepath.Dir(left)), exists(running))
	}
}

func TestSweepOfLocks(t *testing.T) {
	s, _ := sessiontest.New(t)
	dir := s.Config.Locks()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "left"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := cacheOf(s).Collect(t.Context(), gc.Bounds{}, later, false); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What a build script leaves in the cache may be full of links: a collection takes the links and nothing that they lead to.
func TestACollectionStaysInTheCache(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 6))
		s, _ := sessiontest.New(t)
		outside := t.TempDir()
		if err := symlinktest.Generate(r, false).Make(outside); err != nil {
			t.Fatal(err)
		}
		folder := lastingFolder(t, s, "step/old", 40)
		repro, partial := filepath.Join(s.Config.Cache, config.ReproPrefix+"1"), filepath.Join(s.Config.Cache, "rust", ".partial-x")
		for _, dir := range []string{filepath.Join(folder, "state.d"), repro, partial} {
			tree := symlinktest.Generate(r, true)
			tree.Lead(outside)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tree.Make(dir); err != nil {
				t.Fatal(err)
			}
		}
		old := later.Add(-40 * 24 * time.Hour)
		if err := os.Chtimes(folder, old, old); err != nil {
			t.Fatal(err)
		}
		for _, link := range []string{
			filepath.Join(s.Config.Cache, config.ReproPrefix+"2"), filepath.Join(s.Config.Cache, "rust", ".partial-y"), filepath.Join(s.Config.Work(), "step2"),
			filepath.Join(s.Config.Work(), "step", "linked"), filepath.Join(s.Config.Locks(), "l"), filepath.Join(s.Config.Locks(), "gone"),
		} {
			to := outside
			if filepath.Base(link) == "gone" {
				to = filepath.Join(outside, "made-by-a-lock")
			}
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(to, link); err != nil {
				t.Fatal(err)
			}
		}
		before, err := symlinktest.Snapshot(outside)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cacheOf(s).Inventory(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := cacheOf(s).Collect(t.Context(), gc.Bounds{Age: 30 * 24 * time.Hour}, later, false); err != nil {
			t.Fatal(err)
		}
		after, err := symlinktest.Snapshot(outside)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("seed %d: changed outside (-before +after):\n%s", seed, diff)
		}
		for _, dir := range []string{folder, repro, partial} {
			if exists(dir) {
				t.Errorf("seed %d: %s is left", seed, dir)
			}
		}
	}
}
