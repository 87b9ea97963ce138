package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/manifest"
)

// lockedRecipe builds the demo's programs of a repository at a commit. Its members are those that its steps build, by default.
const lockedRecipe = `description = "the demo from a repository"
[source]
git = "REPO"
commit = "COMMIT"
[[step]]
name = "bootstrap-lib"
kind = "cargo"
std = "core"
artifact = "staticlib"
packages = ["demo-bootstrap"]
[[step]]
name = "bootstrap"
kind = "link"
rules = "bootstrap"
script = "source/bootstrap/bootstrap.ld"
inputs = ["bootstrap-lib/libdemo_bootstrap.a"]
args = ["-m", "aarch64elf", "--gc-sections", "-z", "max-page-size=4096"]
output = "bootstrap"
[[step]]
name = "programs"
kind = "cargo"
std = "core"
packages = ["demo-init", "demo-hello"]
bins = ["init", "hello"]
sysroot = "demo-sysroot"
[install]
bin = ["programs/init", "programs/hello"]
[initfs]
version = 1
bootstrap = "bootstrap/bootstrap"
`

// repository makes one of a folder's files and returns its commit.
func repository(t *testing.T, dir string) string {
	t.Helper()
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-qm", "one")
	return git("rev-parse", "HEAD")
}

// A folder with the locked source's content in its place is looked at, and nothing else happens; the manifest alone tells. A comment changed in
// it is compiled and goes no further.
func TestAnOverrideWithTheSameContentRunsNothing(t *testing.T) {
	w := setUp(t)
	demo, dir := filepath.Join(w.checkout, "recipes/demo"), t.TempDir()
	repo, folder := filepath.Join(dir, "repo"), filepath.Join(dir, "elsewhere")
	copyTree(t, demo, repo, func(p string) bool { return p == "recipe.toml" })
	copyTree(t, demo, folder, func(p string) bool { return p == "recipe.toml" })
	text := strings.NewReplacer("REPO", repo, "COMMIT", repository(t, repo)).Replace(lockedRecipe)
	own := filepath.Join(w.checkout, "recipes/locked")
	check(t, os.MkdirAll(own, 0o755))
	defer os.RemoveAll(own)
	check(t, os.WriteFile(filepath.Join(own, "recipe.toml"), []byte(text), 0o644))
	w.mustRun(t, "recipe:build", "locked")
	programs, overridden := w.lockedPrograms(t)
	if overridden {
		t.Error("what is locked is said to be overridden")
	}

	overrides := filepath.Join(w.checkout, "overrides.toml")
	check(t, os.WriteFile(overrides, []byte("[source.locked]\ndir = \""+folder+"\"\n"), 0o644))
	defer os.Remove(overrides)
	if out := w.mustRun(t, "plan", "-recipe=locked"); !strings.Contains(out, "nothing would run") {
		t.Errorf("plan:\n%s", out)
	}
	if out := w.mustRun(t, "recipe:build", "locked"); !strings.Contains(out, "nothing to do") {
		t.Errorf("the same content:\n%s", out)
	}
	same, overridden := w.lockedPrograms(t)
	if diff := cmp.Diff(programs, same); diff != "" || !overridden {
		t.Errorf("the manifest tells that the source is overridden: %v\n%s", overridden, diff)
	}

	file := filepath.Join(folder, "hello/src/main.rs")
	before, err := os.ReadFile(file)
	check(t, err)
	// Another one each time: the cache may be one that has outlived a run of the tests.
	comment := fmt.Sprintf("// %d\n", time.Now().UnixNano())
	check(t, os.WriteFile(file, append([]byte(comment), before...), 0o644))
	out := w.mustRun(t, "-v", "recipe:build", "locked")
	if !strings.Contains(out, "locked/programs: done") || strings.Contains(out, "locked/strip/bin/hello: done") || strings.Contains(out, "locked/initfs: done") {
		t.Errorf("a comment:\n%s", out)
	}
}

// lockedPrograms are the digests of the programs by path, and whether the manifest says of all that their source is overridden.
func (w *world) lockedPrograms(t *testing.T) (digests map[string]string, overridden bool) {
	t.Helper()
	m, err := manifest.ReadIn(filepath.Join(w.checkout, "out", target, "locked"))
	check(t, err)
	digests, overridden = map[string]string{}, true
	for _, f := range m.Files {
		digests[f.Path] = f.SHA256
		overridden = overridden && f.Overridden
	}
	return digests, overridden
}
