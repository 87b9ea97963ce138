package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Export makes a folder below out/ equal to an output tree.
func (s *Session) Export(ctx context.Context, tree cas.Digest, dir string) error {
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.Store.Materialise(ctx, tree, dir, s.Stats, nil)
}

// ExportInitfs places an image and its manifest in out/<triple>/, where `mage run` and the scripts
// of users look for the newest one, and returns the manifest.
func (s *Session) ExportInitfs(ctx context.Context, image cas.Digest) (*manifest.Manifest, error) {
	unlock, err := s.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := s.madeWith(image, manifest.FileName)
	if err != nil {
		return nil, err
	}
	text, err := s.Store.ReadAll(e.Digest)
	if err != nil {
		return nil, lostMeanwhile(manifest.FileName, err)
	}
	// Beside another manifest lies another image, as far as anybody knows: it need not be read to be replaced.
	path := filepath.Join(s.Config.Out(), manifest.FileName)
	s.looked.Content(path, filepath.Join(s.Config.Out(), builder.ImageName))
	old, err := os.ReadFile(path)
	same := err == nil && bytes.Equal(old, text)
	if err := s.placeInitfs(ctx, image, same); err != nil {
		return nil, err
	}
	if !same {
		if err := s.Store.PlaceFile(ctx, e.Digest, path, 0o644); err != nil {
			return nil, lostMeanwhile(manifest.FileName, err)
		}
	}
	m, err := manifest.Read(text)
	if err == nil {
		s.keepManifest(m.Recipe, text)
	}
	return m, err
}

// madeWith is a file in the output of the step that packs an image.
func (s *Session) madeWith(image cas.Digest, name string) (cas.Entry, error) {
	e, ok, err := s.Store.Lookup(image, name)
	if err == nil && !ok {
		err = fmt.Errorf("the step that packs the image did not make %s", name)
	}
	return e, err
}

func lostMeanwhile(name string, err error) error {
	if errors.As(err, new(*cas.MissingError)) {
		return fmt.Errorf("%s: %w: make the same run once more, it is built anew", name, err)
	}
	return err
}

// placeInitfs places the image in out/, unless it may be there and is.
func (s *Session) placeInitfs(ctx context.Context, image cas.Digest, maybe bool) error {
	e, err := s.madeWith(image, builder.ImageName)
	if err != nil {
		return err
	}
	path := filepath.Join(s.Config.Out(), builder.ImageName)
	if maybe {
		if got, err := s.Stats.DigestFile(path); err == nil && got == e.Digest {
			// So that the next run need not read the image again.
			if err := s.Stats.Save(); err != nil {
				s.Say("could not keep the stat cache: %v", err)
			}
			return nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return lostMeanwhile(builder.ImageName, s.Store.PlaceFile(ctx, e.Digest, path, 0o644))
}

// writeSpecs generates the JSON target specs for the compiler in use: into out/ for whoever wants to call
// rustc by hand, and into targets/ when the compiler is the pinned one of the active release set, for which those files are kept.
func (s *Session) writeSpecs(t *Toolchain) error {
	dir := s.Config.Targets()
	triples, err := targetspec.Triples(os.DirFS(dir))
	if err != nil {
		return err
	}
	for _, triple := range triples {
		spec, err := targetspec.Load(os.DirFS(dir), triple)
		if err != nil {
			return err
		}
		text, err := spec.JSON(t.Caps.Compiler())
		if err != nil {
			return err
		}
		if _, err := s.writeIfChanged(filepath.Join(s.Config.Out(), "spec", triple+".json"), text); err != nil {
			return err
		}
		if t.Provider != toolchain.FromRustup || !s.Config.HasActivePin() {
			continue
		}
		wrote, err := s.writeIfChanged(filepath.Join(dir, triple+".json"), text)
		if err != nil {
			return err
		}
		if wrote {
			s.Say("generated targets/%s.json", triple)
		}
	}
	return nil
}

// writeIfChanged writes a file unless it has these bytes already.
func (s *Session) writeIfChanged(path string, text []byte) (bool, error) {
	s.looked.Content(path)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	return true, renameio.WriteFile(path, text, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}
