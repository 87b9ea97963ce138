package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// tree makes folders, files ("x") and links ("->to") below a folder whose path has no links.
func tree(t *testing.T, entries ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	for i := 0; i < len(entries); i += 2 {
		path, what := filepath.Join(root, entries[i]), entries[i+1]
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch {
		case what == "/":
			check(t, os.MkdirAll(path, 0o755))
		case len(what) > 2 && what[:2] == "->":
			check(t, os.Symlink(what[2:], path))
		default:
			check(t, os.WriteFile(path, []byte(what), 0o644))
		}
	}
	return root
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func below(root string, places []place) map[string]string {
	got := map[string]string{}
	for _, p := range places {
		rel, _ := filepath.Rel(root, p.At)
		got[rel] = string(p.Kind)
	}
	return got
}

func TestAFolderIsSeenThroughTheLinksThatLeadToIt(t *testing.T) {
	root := tree(t, "real/bin/cc", "x", "usr", "->real", "tools/cc", "->../alternatives/cc", "alternatives/cc", "->../usr/bin/cc")
	l := layout{}
	check(t, l.add(readOnly, filepath.Join(root, "tools/cc")))
	want := map[string]string{"tools/cc": "link", "alternatives/cc": "link", "usr": "link", "real/bin/cc": "ro"}
	if got := below(root, l.places()); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatIsSeenAlreadyIsNoPlaceOfItsOwn(t *testing.T) {
	root := tree(t, "usr/bin/cc", "->gcc", "usr/bin/gcc", "x", "usr/src/app", "/")
	l := layout{}
	check(t, l.add(readOnly, filepath.Join(root, "usr")))
	check(t, l.add(readOnly, filepath.Join(root, "usr/bin/cc")))
	check(t, l.add(readWrite, filepath.Join(root, "usr/src/app")))
	want := map[string]string{"usr": "ro", "usr/src/app": "rw"}
	if got := below(root, l.places()); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A checkout in /usr/src is nothing of the system's.
func TestWhatIsHiddenInAFolderOfTheSystemIsShownOnlyByName(t *testing.T) {
	root := tree(t, "usr/src/app/secret", "x", "usr/src/app/made/step", "/", "home/u", "/", "usr/lib", "/")
	l, err := newLayout([]string{filepath.Join(root, "usr"), filepath.Join(root, "missing")},
		[]string{filepath.Join(root, "usr/src/app"), filepath.Join(root, "home/u"), filepath.Join(root, "gone")})
	check(t, err)
	check(t, l.add(readOnly, filepath.Join(root, "usr/src/app/made")))
	check(t, l.add(readWrite, filepath.Join(root, "usr/src/app/made/step")))
	want := map[string]string{"usr": "ro", "usr/src/app": "empty", "usr/src/app/made": "ro", "usr/src/app/made/step": "rw"}
	if got := below(root, l.places()); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// On NixOS every program is a link from a profile into the store, and the profile is one itself.
func TestProfilesAreSeenBesideTheStoreTheyLeadInto(t *testing.T) {
	root := tree(t, "store/gcc/bin/cc", "x", "store/system/sw/bin/cc", "->../../../gcc/bin/cc", "run/current-system", "->../store/system",
		"profiles/default", "->default-2-link", "profiles/default-2-link", "->../store/gcc", "profiles/default-1-link", "->../store/old")
	l, err := newLayout([]string{filepath.Join(root, "store"), filepath.Join(root, "run/current-system"), filepath.Join(root, "profiles/default")}, nil)
	check(t, err)
	want := map[string]string{"store": "ro", "run/current-system": "link", "profiles/default": "link", "profiles/default-2-link": "link"}
	if got := below(root, l.places()); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPathsThatLeadNowhereAreErrors(t *testing.T) {
	root := tree(t, "loop", "->loop", "x", "x")
	for _, c := range []struct {
		path    string
		missing bool
	}{{"relative", false}, {filepath.Join(root, "loop"), false}, {filepath.Join(root, "gone"), true}} {
		if err := (layout{}).add(readOnly, c.path); err == nil || errors.Is(err, fs.ErrNotExist) != c.missing {
			t.Errorf("%s: %v", c.path, err)
		}
	}
}
