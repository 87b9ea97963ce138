package source

import (
	"errors"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/foldcase"
)

// TestNamesThatFallTogether: where a file would silently be another one of the source, the source is refused.
func TestNamesThatFallTogether(t *testing.T) {
	for name, c := range map[string]struct {
		second func(w *writer) error
		want   bool
	}{
		"a file":              {func(w *writer) error { return w.file("src/LIB.rs", false, strings.NewReader("2")) }, true},
		"a folder":            {func(w *writer) error { return w.file("SRC/main.rs", false, strings.NewReader("2")) }, true},
		"a link":              {func(w *writer) error { return w.link("src/Lib.rs", "main.rs") }, true},
		"the same file again": {func(w *writer) error { return w.file("src/lib.rs", false, strings.NewReader("2")) }, false},
		"another file":        {func(w *writer) error { return w.file("src/lib2.rs", false, strings.NewReader("2")) }, false},
		"the folder itself":   {func(w *writer) error { return w.dir("src") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := newWriter(t.TempDir(), &Findings{})
			if err != nil {
				t.Fatal(err)
			}
			w.folds = true
			if err := w.file("src/lib.rs", false, strings.NewReader("1")); err != nil {
				t.Fatal(err)
			}
			err = w.close(c.second(w))
			if errors.As(err, new(*foldcase.SameFileError)) != c.want || err != nil && !c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
