package castree

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/patch"
)

// TestPatchedTree: modes, links and folders that come and go are in
// the tree that a build goes on with.
func TestPatchedTree(t *testing.T) {
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	digest, err := store.PutBytes([]byte("x\n"))
	if err != nil {
		t.Fatal(err)
	}
	tree := cas.NewTree()
	tree.Entries = map[string]cas.Entry{"run.sh": {Digest: digest}, "d/x": {Digest: digest}, "l": {Link: "d/x"}, "f": {Digest: digest}}
	series, err := patch.Load(fstest.MapFS{"s/1.patch": {Data: []byte(`diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/d/x b/d
similarity index 100%
rename from d/x
rename to d
diff --git a/l b/l
index 1111111..2222222 120000
--- a/l
+++ b/l
@@ -1 +1 @@
-d/x
\ No newline at end of file
+d
\ No newline at end of file
diff --git a/f b/f/y
similarity index 100%
rename from f
rename to f/y
`)}}, "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := patch.Apply(t.Context(), series, &Tree{store, tree}, patch.Options{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]cas.Entry{"run.sh": {Digest: digest, Executable: true}, "d": {Digest: digest}, "l": {Link: "d"}, "f/y": {Digest: digest}}
	if diff := cmp.Diff(want, tree.Entries); diff != "" {
		t.Error(diff)
	}
	if names, err := (&Tree{store, tree}).List(); err != nil || !cmp.Equal(names, []string{"d", "f/y", "l", "run.sh"}) {
		t.Error(names, err)
	}
	if err := (&Tree{store, tree}).WriteFile("f", patch.File{}); err == nil {
		t.Error("a file is written in the place of a folder that has files")
	}
}
