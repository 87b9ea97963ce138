package safepath

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, top string)
		path    string
		want    string // the folder that is named
		mend    string
		root    bool
	}{
		"private":                  {func(*testing.T, string) {}, "a/b", "", "", false},
		"not there yet":            {func(*testing.T, string) {}, "a/b/c/d", "", "", false},
		"others write to it":       {mode("a/b", 0o777), "a/b", "a/b", "chmod go-w ", false},
		"its group writes to it":   {mode("a/b", 0o775), "a/b", "a/b", "chmod go-w ", false},
		"others write above":       {mode("a", 0o757), "a/b", "a", "chmod go-w ", false},
		"above one that will be":   {mode("a/b", 0o777), "a/b/c/d", "a/b", "chmod go-w ", false},
		"sticky above":             {mode("a", 0o777|os.ModeSticky), "a/b", "", "", false},
		"others write inside":      {mode("a/b/in", 0o777), "a/b", "a/b/in", "chmod go-w ", false},
		"others may read":          {mode("a/b", 0o755), "a/b", "", "", false},
		"by a link":                {link("a/b", "link", "a", 0o777), "link", "a", "chmod go-w ", false},
		"another's link":           {foreignLink("a/b", "link"), "link", "link", "sudo chown ", true},
		"it is another's":          {owner("a/b"), "a/b", "a/b", "sudo chown ", true},
		"another's above":          {owner("a"), "a/b", "a", "sudo chown ", true},
		"another's inside":         {owner("a/b/in"), "a/b", "a/b/in", "sudo chown ", true},
		"another's, not there yet": {owner("a/b"), "a/b/c", "a/b", "sudo chown ", true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.root && os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			top := t.TempDir()
			if err := os.MkdirAll(filepath.Join(top, "a/b/in"), 0o755); err != nil {
				t.Fatal(err)
			}
			test.prepare(t, top)
			err := Check(filepath.Join(top, test.path))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Dir != filepath.Join(top, test.want) || !strings.HasPrefix(e.Mend, test.mend) || !strings.HasSuffix(e.Mend, e.Dir) {
				t.Errorf("%v", err)
			}
		})
	}
}

func mode(path string, mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, top string) {
		if err := os.Chmod(filepath.Join(top, path), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func link(to, name, open string, perm os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, top string) {
		mode(open, perm)(t, top)
		if err := os.Symlink(filepath.Join(top, to), filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func foreignLink(to, name string) func(*testing.T, string) {
	return func(t *testing.T, top string) {
		link(to, name, to, 0o755)(t, top)
		if err := os.Lchown(filepath.Join(top, name), 4711, -1); err != nil {
			t.Fatal(err)
		}
	}
}

func owner(path string) func(*testing.T, string) {
	return func(t *testing.T, top string) {
		if err := os.Chown(filepath.Join(top, path), 4711, -1); err != nil {
			t.Fatal(err)
		}
	}
}
