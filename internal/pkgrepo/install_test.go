package pkgrepo

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/pkgar"
)

var noSync = pkgar.ExtractOptions{NoSync: true}

// files lists the files below root, without the package manager's state, each with the first word of its content.
func files(t *testing.T, root string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		data, err := os.ReadFile(name)
		if rel != StateFile && rel != OriginsFile && !strings.HasPrefix(rel, HeadDir) {
			word, _, _ := strings.Cut(string(data), " ")
			list = append(list, rel+"="+word)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// textPkg is a package of text files: path, content, path, content …
func textPkg(t *testing.T, name, version string, pairs ...string) Publishing {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		write(t, filepath.Join(dir, pairs[i]), pairs[i+1])
	}
	return Publishing{Name: Name(name), Version: version, Tree: dir}
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	// Replaced, not written to: Apply's copies are hard links.
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestApply(t *testing.T) {
	dir, root := t.TempDir(), filepath.Join(t.TempDir(), "root")
	install := func(names ...Name) (*Applied, error) {
		fetched, err := fetchAll(testClient(t, nil, dir), names...)
		if err != nil {
			t.Fatal(err)
		}
		return Apply(bg, root, Change{Install: fetched}, noSync)
	}
	expect := func(step string, applied *Applied, err error, wantApplied Applied, want ...string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if diff := cmp.Diff(&wantApplied, applied); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
		if diff := cmp.Diff(want, files(t, root)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
	}
	ed := textPkg(t, "ed", "1", "bin/ed", "ed1", "etc/ed.conf", "conf1", "share/ed/old", "old")
	ed.Depends = []Name{"lib"}
	publish(t, dir, 1, ed, textPkg(t, "lib", "1", "lib/lib.so", "lib1"))
	applied, err := install("ed")
	expect("install", applied, err, Applied{Installed: []Name{"ed", "lib"}}, "bin/ed=ed1", "etc/ed.conf=conf1", "lib/lib.so=lib1", "share/ed/old=old")

	write(t, filepath.Join(root, "etc/ed.conf"), "mine")
	write(t, filepath.Join(root, "home/me"), "data")
	ed = textPkg(t, "ed", "2", "bin/ed", "ed2", "etc/ed.conf", "conf2", "share/ed2/new", "new")
	ed.Depends = []Name{"lib"}
	publish(t, dir, 1, ed)
	applied, err = install("ed")
	expect("upgrade", applied, err, Applied{Installed: []Name{"ed", "lib"}, Kept: []string{"etc/ed.conf"}},
		"bin/ed=ed2", "etc/ed.conf=mine", "home/me=data", "lib/lib.so=lib1", "share/ed2/new=new")
	if _, err := os.Stat(filepath.Join(root, "share/ed")); !os.IsNotExist(err) {
		t.Errorf("an empty folder stays: %v", err)
	}

	publish(t, dir, 1, textPkg(t, "other", "1", "bin/ed", "other", "home/me", "other"))
	before := files(t, root)
	_, err = install("other")
	if err == nil || !strings.Contains(err.Error(), "bin/ed: package other has it, and package ed is installed with it") || !strings.Contains(err.Error(), "home/me: package other has it, and there is a file that belongs to no package") {
		t.Errorf("conflicts: %v", err)
	}
	if diff := cmp.Diff(before, files(t, root)); diff != "" {
		t.Errorf("refused, and changed (-want +got):\n%s", diff)
	}

	if _, err := Apply(bg, root, Change{Remove: []Name{"lib"}}, noSync); err == nil || !strings.Contains(err.Error(), `lib is needed by ["ed"]`) {
		t.Errorf("remove what is needed: %v", err)
	}
	applied, err = Apply(bg, root, Change{Remove: []Name{"ed"}}, noSync)
	expect("remove", applied, err, Applied{Removed: []Name{"ed", "lib"}, Kept: []string{"etc/ed.conf"}}, "etc/ed.conf=mine", "home/me=data")
	data, err := os.ReadFile(filepath.Join(root, StateFile))
	if err != nil {
		t.Fatal(err)
	}
	state, err := ParseState(data)
	if err != nil || len(state.Installed) != 0 {
		t.Errorf("state %s, %v", data, err)
	}
	if heads, err := os.ReadDir(filepath.Join(root, HeadDir)); err != nil || len(heads) != 0 {
		t.Errorf("heads %v, %v", heads, err)
	}
}

// Two packages may have the same file. It goes with the second of them.
func TestFileOfTwoPackages(t *testing.T) {
	dir, root := t.TempDir(), filepath.Join(t.TempDir(), "root")
	publish(t, dir, 1, textPkg(t, "one", "1", "f", "same"), textPkg(t, "two", "1", "f", "same"))
	fetched, err := fetchAll(testClient(t, nil, dir), "one", "two")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(bg, root, Change{Install: fetched}, noSync); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		remove Name
		want   []string
	}{{"one", []string{"f=same"}}, {"two", nil}} {
		if _, err := Apply(bg, root, Change{Remove: []Name{c.remove}}, noSync); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, files(t, root)); diff != "" {
			t.Errorf("without %s (-want +got):\n%s", c.remove, diff)
		}
	}
}

// Who has made the change that an upgrade brings has kept nothing back.
func TestUpgradeToWhatIsThereAlready(t *testing.T) {
	dir, root := t.TempDir(), filepath.Join(t.TempDir(), "root")
	for _, version := range []string{"1", "2"} {
		publish(t, dir, 1, textPkg(t, "ed", version, "etc/ed.conf", "conf"+version))
		fetched, err := fetchAll(testClient(t, nil, dir), "ed")
		if err != nil {
			t.Fatal(err)
		}
		applied, err := Apply(bg, root, Change{Install: fetched}, noSync)
		if err != nil || len(applied.Kept) > 0 {
			t.Fatalf("%+v, %v", applied, err)
		}
		write(t, filepath.Join(root, "etc/ed.conf"), "conf2")
	}
}

func TestApplyRefuses(t *testing.T) {
	dir := t.TempDir()
	program := textPkg(t, "program", "1", "f", "1")
	if err := os.Chmod(filepath.Join(program.Tree, "f"), 0o755); err != nil {
		t.Fatal(err)
	}
	publish(t, dir, 1, program, textPkg(t, "evil", "1", StateFile, "x"), textPkg(t, "head", "1", HeadFile("x"), "x"), textPkg(t, "through", "1", "out/file", "x"),
		textPkg(t, "one", "1", "f", "1"), textPkg(t, "two", "1", "f", "2"))
	outside := t.TempDir()
	for name, c := range map[string]struct {
		names []Name
		force bool
		want  string
	}{
		"state file":     {[]Name{"evil"}, true, "package manager's state"},
		"head file":      {[]Name{"head"}, true, "package manager's state"},
		"through a link": {[]Name{"through"}, true, `"out" is not a folder`},
		"another mode":   {[]Name{"one", "program"}, true, "packages one and program have different files"},
		"two claim it":   {[]Name{"one", "two"}, true, "packages one and two have different files"},
	} {
		root := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(root, "out")); err != nil {
			t.Fatal(err)
		}
		fetched, err := fetchAll(testClient(t, nil, dir), c.names...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Apply(bg, root, Change{Install: fetched, Force: c.force}, noSync); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if left, err := os.ReadDir(root); err != nil || len(left) != 1 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("written outside: %v, %v", left, err)
	}
}
