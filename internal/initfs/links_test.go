package initfs

import (
	"bytes"
	"context"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/symlink"
	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// Generated trees: an image with a link that leads out, by itself or by way of others, is refused; of any other no link leads
// out of what is extracted. Images that have such links already are read, and name them.
func TestNoLinkOfAnImageLeadsOut(t *testing.T) {
	taken := 0
	for seed := range uint64(150) {
		tree := symlinktest.Generate(rand.New(rand.NewPCG(seed, 4)), seed%2 == 1)
		from := t.TempDir()
		if err := tree.Make(from); err != nil {
			t.Fatal(err)
		}
		for _, v := range []Version{V1, V2} {
			spec := testSpec(v)
			var err error
			if spec.Root, err = FromDir(from, DirOptions{}); err != nil {
				t.Fatal(err)
			}
			leaving := slices.Sorted(maps.Keys(outside(v.geometry(), tree.Links)))
			if v == V2 {
				for _, l := range symlink.Leaving(relativeLinks(tree.Links)) {
					if !slices.Contains(leaving, l.Path) {
						t.Errorf("seed %d: %v is not outside", seed, l)
					}
				}
			}
			if _, err = Write(context.Background(), &bytes.Buffer{}, spec); (err != nil) != (len(leaving) > 0) {
				t.Errorf("seed %d: %v for %v", seed, err, tree)
			}
			spec.KeepOutside = true
			img := open(t, pack(t, spec))
			var named []string
			for _, l := range img.OutsideLinks() {
				named = append(named, l.Path)
			}
			if slices.Sort(named); !slices.Equal(named, leaving) && !(len(named) == 0 && len(leaving) == 0) {
				t.Errorf("seed %d, %s: named %q, want %q in %v", seed, v, named, leaving, tree)
			}
			if len(leaving) > 0 {
				continue
			}
			taken++
			out := filepath.Join(t.TempDir(), "out")
			if err := img.Extract(context.Background(), out); err != nil {
				t.Fatal(err)
			}
			for p := range tree.Links {
				if end, err := filepath.EvalSymlinks(filepath.Join(out, p)); err == nil && end != out && !strings.HasPrefix(end, out+"/") {
					t.Errorf("seed %d, %s: %s ends at %s in %v", seed, v, p, end, tree)
				}
			}
		}
	}
	if taken < 30 {
		t.Errorf("%d images were taken: this shows little", taken)
	}
}

func relativeLinks(links map[string]string) map[string]string {
	relative := maps.Clone(links)
	maps.DeleteFunc(relative, func(_, target string) bool { return strings.HasPrefix(target, "/") })
	return relative
}
