package wants

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// TestPage: the page lists what there is.
func TestPage(t *testing.T) {
	const page = root + "/docs/testing.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), Table()) {
		t.Errorf("docs/testing.md has not this table:\n%s", Table())
	}
}

// internal are set by tests for their own child processes.
var internal = map[string]bool{"REDOX_TEST_GUARDED": true, "REDOX_TEST_RUSTBUILD_KILLED": true, "REDOX_TEST_TOOL": true, "REDOX_TEST_AS_TOOL": true, "REDOX_TEST_FRONT": true}

// TestAllListed: no test reads a variable that the list does not have.
func TestAllListed(t *testing.T) {
	listed := map[string]bool{}
	for _, v := range All() {
		listed[v.Name] = true
	}
	name := regexp.MustCompile(`"(REDOX_TEST_[A-Z0-9_]+)`)
	err := filepath.WalkDir(root+"/internal", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			if !listed[m[1]] && !internal[m[1]] && m[1] != "REDOX_TEST_" {
				t.Errorf("%s: %s is not in the list", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
