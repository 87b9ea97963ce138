package globdir

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIn(t *testing.T) {
	top := filepath.Join(t.TempDir(), `a [b]*\?`)
	for _, name := range []string{"x/one.rs", "x/two.rs", "y/one.rs", "z"} {
		file := filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string][]string{
		"x/*.rs":       {"x/one.rs", "x/two.rs"},
		"*/one.rs":     {"x/one.rs", "y/one.rs"},
		"./z":          {"z"},
		"x/../z":       {"z"},
		"none/*":       nil,
		".":            {"."},
		"../a*/y/*.rs": {"y/one.rs"},
	} {
		got, err := In(top, pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		for i := range want {
			want[i] = filepath.Join(top, want[i])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", pattern, diff)
		}
	}
	if _, err := In(top, "[x"); !errors.Is(err, path.ErrBadPattern) {
		t.Errorf("a broken pattern: %v", err)
	}
}
