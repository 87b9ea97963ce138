package diskbuild

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// Generated trees with links to a folder of the host, and files that are placed into them: what of an image is laid out on this
// machine is laid out in its own folder.
func TestAnImageIsLaidOutInItsOwnFolder(t *testing.T) {
	laid := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 8))
		outside, from, top := t.TempDir(), t.TempDir(), t.TempDir()
		tree := symlinktest.Generate(r, true)
		tree.Lead(outside)
		if err := tree.Make(from); err != nil {
			t.Fatal(err)
		}
		text := "x"
		d := &disk.Description{Trees: []disk.Tree{{From: "tree"}}, Files: []disk.File{{To: "/d/e", Text: &text}}}
		for _, to := range []string{"/a/x", "/b/c/x", "/c/x/y"} {
			if r.IntN(2) == 0 {
				d.Files = append(d.Files, disk.File{To: to, Text: &text})
			}
		}
		before, err := symlinktest.Snapshot(outside)
		if err != nil {
			t.Fatal(err)
		}
		contents, err := d.Contents(t.Context(), func(context.Context, string) ([]disk.Item, error) { return hostItems(from) })
		if err != nil {
			continue // a file is placed below a link
		}
		root := filepath.Join(top, "root")
		if err := layTree(root, contents, nil); err != nil {
			t.Errorf("seed %d: %v for %v", seed, err, tree)
		}
		laid++
		after, err := symlinktest.Snapshot(outside)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("seed %d: changed outside (-before +after):\n%s", seed, diff)
		}
		if left, _ := os.ReadDir(top); len(left) != 1 {
			t.Errorf("seed %d: written beside: %v", seed, left)
		}
		for p, target := range tree.Links {
			if got, err := os.Readlink(filepath.Join(root, p)); got != target {
				t.Errorf("seed %d: %s -> %q, %v", seed, p, got, err)
			}
		}
	}
	if laid < 50 {
		t.Errorf("%d images were laid out: this shows little", laid)
	}
}
