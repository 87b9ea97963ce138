package pkgrepo

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// A system of somebody else's may have links to folders of the host in the place of its own. Nothing of the host is read, replaced or
// removed through them, wherever on the way they are.
func TestApplyStaysInside(t *testing.T) {
	repository := t.TempDir()
	publish(t, repository, 1, textPkg(t, "tool", "1", "usr/share/tool/file", "new"))
	fetched, err := fetchAll(testClient(t, nil, repository), "tool")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		link   string // replaced by a link, with what is below it outside
		change Change
		fails  bool
	}{
		"install":          {"usr", Change{Install: fetched}, true},
		"install, force":   {"usr", Change{Install: fetched, Force: true}, true},
		"the last folder":  {"usr/share/tool", Change{Install: fetched, Force: true}, true},
		"the state":        {"etc", Change{Install: fetched}, true},
		"the state's file": {StateFile, Change{Install: fetched}, true},
		"the heads":        {"var/lib", Change{Install: fetched}, true},
		"upgrade":          {"usr", Change{Install: fetched}, true},
		"remove":           {"usr", Change{Remove: []Name{"tool"}}, false},
		"remove the head":  {"var", Change{Remove: []Name{"tool"}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root, outside := filepath.Join(t.TempDir(), "root"), t.TempDir()
			if _, err := Apply(bg, root, Change{Install: fetched}, noSync); err != nil {
				t.Fatal(err)
			}
			moved := filepath.Join(outside, "moved")
			if err := os.Rename(filepath.Join(root, tt.link), moved); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(moved, filepath.Join(root, tt.link)); err != nil {
				t.Fatal(err)
			}
			before := contentsOf(t, outside)
			_, err := Apply(bg, root, tt.change, noSync)
			var link *LinkError
			if tt.fails && !errors.As(err, &link) || !tt.fails && err != nil {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(before, contentsOf(t, outside)); diff != "" {
				t.Errorf("changed outside (-before +after):\n%s", diff)
			}
		})
	}
}

// contentsOf is what lies below a folder, with modification times.
func contentsOf(t *testing.T, top string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || d.IsDir() {
			all[name] = ""
			return err
		}
		data, err := os.ReadFile(name)
		all[name] = info.ModTime().String() + " " + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Systems full of links, some of them to a folder of the host: whatever is installed, upgraded or removed there, nothing
// outside changes.
func TestApplyStaysInsideGeneratedSystems(t *testing.T) {
	repository := t.TempDir()
	publish(t, repository, 1, textPkg(t, "tool", "1", "a/b/c", "new", "b/a", "new", "c/c/c", "new", "a/a", "new"), textPkg(t, "plain", "1", "d/e", "new"))
	client := testClient(t, nil, repository)
	fetched, err := fetchAll(client, "tool")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := fetchAll(client, "plain")
	if err != nil {
		t.Fatal(err)
	}
	installed := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 5))
		outside := t.TempDir()
		if err := symlinktest.Generate(r, false).Make(outside); err != nil {
			t.Fatal(err)
		}
		system := symlinktest.Generate(r, true)
		system.Lead(outside)
		top := t.TempDir()
		root := filepath.Join(top, "in", "root")
		if err := os.MkdirAll(root, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := system.Make(root); err != nil {
			t.Fatal(err)
		}
		before, err := symlinktest.Snapshot(outside)
		if err != nil {
			t.Fatal(err)
		}
		if seed%2 == 0 { // the state's own folders lead out, too
			for _, p := range []string{"etc", "var"} {
				if err := os.Symlink(outside, filepath.Join(root, p)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, change := range []Change{{Install: fetched}, {Install: plain}, {Install: fetched, Force: true}, {Remove: []Name{"plain"}}} {
			if _, err := Apply(bg, root, change, noSync); err == nil {
				installed++
			}
			after, err := symlinktest.Snapshot(outside)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Fatalf("seed %d: changed outside by %v (-before +after):\n%s", seed, system, diff)
			}
			if left, _ := os.ReadDir(top); len(left) != 1 {
				t.Fatalf("seed %d: written beside: %v", seed, left)
			}
		}
	}
	if installed < 50 {
		t.Errorf("%d changes were made: this shows little", installed)
	}
}
