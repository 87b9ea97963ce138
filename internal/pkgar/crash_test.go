package pkgar

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Set by TestKilled for the process that it kills.
var (
	killedArchive = flag.String("killed-archive", "", "internal: extract this `file`")
	killedDir     = flag.String("killed-dir", "", "internal: into this `folder`, again and again")
)

// TestKilledChild is the process that TestKilled kills.
func TestKilledChild(t *testing.T) {
	if *killedArchive == "" {
		t.Skip("only as a child of TestKilled")
	}
	key := testKey(t, 1).Public()
	for {
		a, err := OpenFile(*killedArchive, Options{Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Extract(context.Background(), *killedDir, noSync); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilled kills a process that extracts, at arbitrary moments: the folder is not there, or complete, and the next extraction
// leaves nothing of the killed one.
func TestKilled(t *testing.T) {
	tree := sampleTree(t)
	file := filepath.Join(t.TempDir(), "a.pkgar")
	if _, err := CreateFile(context.Background(), file, tree, CreateOptions{Key: testKey(t, 1), NoSync: true}); err != nil {
		t.Fatal(err)
	}
	want := listTree(t, tree)
	parent := t.TempDir()
	dir := filepath.Join(parent, "root")
	for i := range 20 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledChild$", "-killed-archive="+file, "-killed-dir="+dir)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10+7*i) * time.Millisecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // killed
		if _, err := os.Lstat(dir); err != nil {
			continue
		}
		if diff := cmp.Diff(want, listTree(t, dir)); diff != "" {
			t.Fatalf("killed after %d ms (-want +got):\n%s", 10+7*i, diff)
		}
	}
	key := testKey(t, 1).Public()
	a, err := OpenFile(file, Options{Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Extract(context.Background(), dir, noSync); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, listTree(t, dir)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
	checkNoStage(t, parent)
}
