package session_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// imageOf stores what the step that packs an image would.
func imageOf(t *testing.T, s *session.Session, text string) cas.Digest {
	t.Helper()
	image, err := s.Store.PutBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := json.Marshal(&manifest.Manifest{Recipe: "r", Image: &manifest.Image{SHA256: image.Hash, Size: image.Size}})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := s.Store.PutBytes(m)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Store.PutDirectory(&cas.Directory{Files: []cas.FileNode{{Name: builder.ImageName, Digest: image}, {Name: "manifest.json", Digest: manifest}}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever lies in out/, what has been built lies there afterwards, with the manifest that belongs to it.
func TestExportedImageIsTheOneThatWasBuilt(t *testing.T) {
	s, _ := sessiontest.New(t)
	one, two := imageOf(t, s, "image one"), imageOf(t, s, "image two")
	image, manifest := filepath.Join(s.Config.Out(), builder.ImageName), filepath.Join(s.Config.Out(), "manifest.json")
	export := func(out cas.Digest, want string) {
		t.Helper()
		m, err := s.ExportInitfs(t.Context(), out)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(image)
		if err != nil || string(got) != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
		text, err := os.ReadFile(manifest)
		if hash := cas.DigestBytes([]byte(want)).Hash; err != nil || m.Image.SHA256 != hash || !strings.Contains(string(text), hash) {
			t.Errorf("the manifest is of another image: %+v, %s %v", m.Image, text, err)
		}
	}
	export(one, "image one")
	export(one, "image one")
	export(two, "image two")
	export(one, "image one")
	// Somebody changes the image and puts size and time back.
	time.Sleep(100 * time.Millisecond)
	export(one, "image one") // the stat cache knows it now
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(image, []byte("image ???"), 0o644), os.Chtimes(image, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	export(one, "image one")
	for _, gone := range []string{image, manifest} {
		if err := os.Remove(gone); err != nil {
			t.Fatal(err)
		}
		export(one, "image one")
	}
	// Killed when the image was placed and the manifest was not.
	if err := os.WriteFile(image, []byte("image two"), 0o644); err != nil {
		t.Fatal(err)
	}
	export(one, "image one")
}

func TestExportOfALostImageSaysWhatToDo(t *testing.T) {
	s, _ := sessiontest.New(t)
	out := imageOf(t, s, "image")
	if err := s.Store.Remove(cas.DigestBytes([]byte("image"))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ExportInitfs(t.Context(), out); err == nil || !strings.Contains(err.Error(), "once more") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.Config.Out(), "manifest.json")); err == nil {
		t.Error("there is a manifest of an image that is not there")
	}
}
