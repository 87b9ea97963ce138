package pkgrepo

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
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
