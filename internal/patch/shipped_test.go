package patch

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

// TestEveryPatchNamesItsTest: what fails without a patch can be run by whoever moves it to another source.
func TestEveryPatchNamesItsTest(t *testing.T) {
	root := os.DirFS("../..")
	patches, err := fs.Sub(root, "patches")
	if err != nil {
		t.Fatal(err)
	}
	tests := goTests(t, root)
	names, err := fs.ReadDir(patches, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		series, err := Load(patches, name.Name())
		if err != nil {
			t.Error(err)
			continue
		}
		for _, p := range series.Patches {
			if !isTest(root, tests, p.Test) {
				t.Errorf("patches/%s/%s: test = %q is no boot test, test of ours, \"build\", \"drift\", \"test:relibc\" or \"test:diff\"", name.Name(), p.Name, p.Test)
			}
		}
	}
}

func isTest(root fs.FS, tests map[string]bool, name string) bool {
	if boot, ok := strings.CutPrefix(name, "test:boot "); ok {
		_, err := fs.Stat(root, path.Join("images/boot", boot+".toml"))
		return err == nil
	}
	switch name {
	case "build", "drift", "test:relibc", "test:diff":
		return true
	}
	return tests[name]
}

// goTests are the names of all tests of the project.
func goTests(t *testing.T, root fs.FS) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := fs.WalkDir(root, "internal", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "func Test"); ok {
				end, _, _ := strings.Cut(rest, "(")
				tests["Test"+end] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
