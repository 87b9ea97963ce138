package session

import (
	"context"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/build"
	"github.com/pannous/redox-clif/internal/cas"
)

// export makes a folder below out/ equal to an output tree.
func (s *Session) export(ctx context.Context, tree cas.Digest, dir string) error {
	return s.Store.Materialise(ctx, tree, dir, s.Stats, nil)
}

// exportImage places an image and its manifest in out/<triple>/, where `mage run` and the scripts
// of users look for the newest one, and returns the manifest.
func (s *Session) exportImage(ctx context.Context, image cas.Digest) (*build.Manifest, error) {
	for _, name := range []string{build.ImageName, "manifest.json"} {
		e, ok, err := s.Store.Lookup(image, name)
		if err != nil || !ok {
			return nil, err
		}
		path := filepath.Join(s.Config.Out(), name)
		if got, err := cas.DigestFile(path); err == nil && got == e.Digest {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := s.Store.PlaceFile(ctx, e.Digest, path, 0o644); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(filepath.Join(s.Config.Out(), "manifest.json"))
	if err != nil {
		return nil, err
	}
	return build.ReadManifest(text)
}
