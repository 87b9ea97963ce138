package bench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/session"
)

// fakeTwin is a finished build whose only step made files.
func fakeTwin(t *testing.T, files map[string]string) *side {
	t.Helper()
	made, dir := t.TempDir(), t.TempDir()
	for name, text := range files {
		path := filepath.Join(made, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	store, err := cas.Open(filepath.Join(dir, "cas"))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := store.Capture(t.Context(), made, cas.CaptureOptions{Store: true})
	if err != nil {
		t.Fatal(err)
	}
	d, err := store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	return &side{dir: dir, store: store, order: []string{"app/programs"}, outputs: map[string]cas.Digest{"app/programs": d}}
}

func TestFirstDifferenceOfTwoBuilds(t *testing.T) {
	for _, test := range []struct {
		name string
		a, b map[string]string
		want []string
	}{
		{"same", map[string]string{"bin/x": "1"}, map[string]string{"bin/x": "1"}, nil},
		{"bytes", map[string]string{"a": "1", "bin/x": "built in /a/b"}, map[string]string{"a": "1", "bin/x": "built in /c"},
			[]string{"app/programs gave other bytes", "bin/x (13 and 11 bytes): offset 10", `"a/b" |`, `"c"`}},
		{"missing", map[string]string{"bin/x": "1"}, map[string]string{"bin/x": "1", "bin/y": "2"}, []string{"bin/y: added"}},
	} {
		err := compare((&session.Session{}), [2]*side{fakeTwin(t, test.a), fakeTwin(t, test.b)})
		if (err != nil) != (len(test.want) > 0) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", test.name, want, err)
			}
		}
	}
}

func TestFirstDifferenceOfImages(t *testing.T) {
	files := map[string]string{"x": "1"}
	built := [2]*side{fakeTwin(t, files), fakeTwin(t, files)}
	for i, b := range built {
		image := bytes.Repeat([]byte{7}, 3<<20)
		image[2<<20+5] = byte(i)
		b.file = filepath.Join(b.dir, "disk.img")
		if err := os.WriteFile(b.file, image, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := compare((&session.Session{}), built)
	if err == nil || !strings.Contains(err.Error(), "disk.img: offset 2097157 (0x200005): 0007") || !strings.Contains(err.Error(), "image:diff") {
		t.Errorf("%v", err)
	}
	built[1].file = built[0].file
	if err := compare((&session.Session{}), built); err != nil {
		t.Error(err)
	}
}

// A failure names logs, and they must be there; of a build that was stopped nothing is to be looked at.
func TestFailedReproKeepsItsLogs(t *testing.T) {
	dir := t.TempDir()
	err := reproFailed(t.Context(), dir, 1, errors.New("x failed"))
	if _, gone := os.Stat(dir); gone != nil || !strings.Contains(err.Error(), "second") || !strings.Contains(err.Error(), "x failed\nkept in "+dir) {
		t.Errorf("%v, %v", err, gone)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err = reproFailed(ctx, dir, 0, ctx.Err())
	if _, there := os.Stat(dir); there == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("%v, %v", err, there)
	}
}
