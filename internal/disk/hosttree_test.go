package disk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

func TestChanges(t *testing.T) {
	top := t.TempDir()
	at := func(p string) string { return filepath.Join(top, p) }
	for _, p := range []string{"same", "new-content", "gone/deep/file", "becomes-link", "file-then-dir"} {
		sessiontest.WriteFile(t, at(p), p, 0o644)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("old", at("link")))
	must(os.Symlink("same", at("same-link")))
	before, err := HostTree(top)
	must(err)

	sessiontest.WriteFile(t, at("new-content"), "changed", 0o600)
	sessiontest.WriteFile(t, at("dir/setuid"), "x", 0o755|os.ModeSetuid)
	sessiontest.WriteFile(t, at("a"), "x", 0o644)
	must(os.RemoveAll(at("gone")))
	must(os.Remove(at("becomes-link")))
	must(os.Symlink("a", at("becomes-link")))
	must(os.Remove(at("link")))
	must(os.Symlink("new", at("link")))
	must(os.Remove(at("file-then-dir")))
	must(os.Mkdir(at("file-then-dir"), 0o755))
	after, err := HostTree(top)
	must(err)

	mode := func(m uint16) *uint16 { return &m }
	want := []redoxfs.Op{
		{Op: redoxfs.OpRemove, Path: "/gone/deep/file"},
		{Op: redoxfs.OpRemove, Path: "/gone/deep"},
		{Op: redoxfs.OpRemove, Path: "/gone"},
		{Op: redoxfs.OpRemove, Path: "/file-then-dir"},
		{Op: redoxfs.OpRemove, Path: "/becomes-link"},
		{Op: redoxfs.OpFile, Path: "/a", From: at("a"), Mode: mode(0o644)},
		{Op: redoxfs.OpLink, Path: "/becomes-link", Target: "a"},
		{Op: redoxfs.OpDir, Path: "/dir", Mode: mode(0o755)},
		{Op: redoxfs.OpFile, Path: "/dir/setuid", From: at("dir/setuid"), Mode: mode(0o4755)},
		{Op: redoxfs.OpDir, Path: "/file-then-dir", Mode: mode(0o755)},
		{Op: redoxfs.OpLink, Path: "/link", Target: "new"},
		{Op: redoxfs.OpFile, Path: "/new-content", From: at("new-content"), Mode: mode(0o600)},
	}
	if diff := cmp.Diff(want, Changes(top, before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
