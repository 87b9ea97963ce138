package disk

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
)

func upstream(t *testing.T, program string, args ...string) {
	t.Helper()
	out, err := exec.Command(redoxfstest.Upstream(t, program), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
}

// Upstream's redoxfs-clone opens our file system and copies all of it; nothing may differ but what it does not copy.
func TestUpstreamReadsOurs(t *testing.T) {
	tool, path := make1(t)
	root, err := FindRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	part, copied := filepath.Join(t.TempDir(), "part"), filepath.Join(t.TempDir(), "copied")
	cut(t, path, part, root)
	if err := os.WriteFile(copied, make([]byte, root.Length), 0o644); err != nil {
		t.Fatal(err)
	}
	upstream(t, "redoxfs-clone", part, copied)
	diffs, err := Diff(t.Context(), tool, part, copied)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diffs {
		t.Errorf("%s: %s", d.Path, d.What)
	}
}

func cut(t *testing.T, from, to string, p Part) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, io.NewSectionReader(in, p.Offset, p.Length)); err != nil {
		t.Fatal(err)
	}
}

// What upstream's redoxfs-ar makes of a folder is read, changed and verified by us.
func TestWeReadUpstreams(t *testing.T) {
	tool := redoxfstest.Tool(t)
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree", "boot")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	host := randomFile(t, 21, 300_000)
	if err := os.Link(host, filepath.Join(tree, "initfs")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "up.img")
	if err := os.WriteFile(path, make([]byte, 8<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	upstream(t, "redoxfs-ar", path, filepath.Join(dir, "tree"))
	want, _ := os.ReadFile(host)
	if got := content(t, tool, path, "/boot/initfs"); string(got) != string(want) {
		t.Error("read other content than upstream wrote")
	}
	e := openEditor(t, tool, path)
	other := randomFile(t, 22, 500_000)
	if err := e.Edit(t.Context(), []redoxfs.Op{put("/boot/initfs", other), put("/boot/kernel", host)}); err != nil {
		t.Fatal(err)
	}
	want, _ = os.ReadFile(other)
	if got := content(t, tool, path, "/boot/initfs"); string(got) != string(want) {
		t.Error("read other content than we wrote")
	}
}
