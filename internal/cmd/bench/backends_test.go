package bench

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

func TestBackendRows(t *testing.T) {
	s := func(seconds ...int) (d []time.Duration) {
		for _, n := range seconds {
			d = append(d, time.Duration(n)*time.Second)
		}
		return d
	}
	rows := backendRows(
		&backendFigures{wall: s(30, 50, 40), cpu: s(60, 61, 62), base: 1 << 20, initfs: 4 << 20, root: 8 << 20, files: map[string]int64{"bin/redoxfs": 1 << 20}},
		&backendFigures{wall: s(20, 21, 90), cpu: s(31, 30, 32), base: 3 << 20, initfs: 8 << 20, root: 8 << 20, files: map[string]int64{"bin/redoxfs": 2 << 20}})
	got := map[string][2]string{}
	for _, r := range rows {
		got[r.what] = [2]string{r.ratio, r.medians}
	}
	for what, want := range map[string][2]string{
		"compiling base from nothing, processor time": {"0.51", "31.0 s / 61.0 s"},
		"compiling base from nothing, by the clock":   {"0.53", "21.0 s / 40.0 s"},
		"programs of base, stripped":                  {"3.00", "3.0 MiB / 1.0 MiB"},
		"bin/redoxfs":                                 {"2.00", "2.0 MiB / 1.0 MiB"},
		"the whole initfs image":                      {"2.00", "8.0 MiB / 4.0 MiB"},
	} {
		if diff := cmp.Diff(want, got[what]); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// What is measured has to be compiled, and nothing else has to be.
func TestCacheWithoutOneStep(t *testing.T) {
	user := t.TempDir()
	actions := action.OpenCache(filepath.Join(user, "actions"))
	steps := []string{"base/programs", "base/programs+llvm", "base/strip/bin/init", "relibc/relibc"}
	for _, step := range steps {
		if err := actions.Put(cas.DigestBytes([]byte(step)), action.Result{Node: step, Output: cas.DigestBytes(nil)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(user, "work", "base"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := &bench{scratch: t.TempDir()}
	cache, err := b.cacheWithout(user, func(step string) bool { return isStep(step, "base/programs") })
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	if _, err := action.OpenCache(filepath.Join(cache, "actions")).Walk(func(_ cas.Digest, r action.Result, _ fs.FileInfo) error {
		left[r.Node] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"base/strip/bin/init": true, "relibc/relibc": true}, left); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(cache, "work")); err == nil {
		t.Error("cargo would find what it did before")
	}
	for _, step := range steps {
		if _, ok, err := actions.Get(cas.DigestBytes([]byte(step))); !ok || err != nil {
			t.Errorf("%s is gone from the user's own cache: %v", step, err)
		}
	}
}
