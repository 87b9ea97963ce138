package initfs

import (
	"context"
	"fmt"
	"os"
)

// Spec returns what would write this image again: the same layout, tree,
// bootstrap, entry and build time. The image must stay open until it is
// written. The size limit is upstream's release limit, or its debug limit for
// an image that is already larger.
func (img *Image) Spec() Spec {
	s := Spec{
		Version:   img.Version,
		Bootstrap: Bootstrap{img.Bootstrap, img.Entry},
		Root:      img.Root,
		BuildTime: img.BuildTime,
		MaxSize:   DefaultMaxSize,
		Share:     img.shares(),

		KeepOutside: true,
	}
	if img.Size > DefaultMaxSize {
		s.MaxSize = DefaultMaxSizeDebug
	}
	return s
}

func (img *Image) shares() bool {
	seen := map[int64]bool{}
	for _, e := range img.extents {
		if e.what != "data" {
			continue
		}
		if seen[e.off] {
			return true
		}
		seen[e.off] = true
	}
	return false
}

// Rewrite edits an image in one step: it is opened and verified, edit changes
// its Spec, and the result takes the image's place atomically, with the same
// layout. When anything is wrong, the image stays exactly as it was. Nobody
// else may write the image meanwhile; the caller holds the lock.
func Rewrite(ctx context.Context, image string, edit func(*Spec) error) (Summary, error) {
	img, err := OpenFile(image)
	if err != nil {
		return Summary{}, err
	}
	defer img.Close()
	if err := img.Verify(); err != nil {
		return Summary{}, fmt.Errorf("%s: the image is damaged, nothing is changed: %w", image, err)
	}
	spec := img.Spec()
	if err := edit(&spec); err != nil {
		return Summary{}, err
	}
	if spec.Version != img.Version {
		return Summary{}, fmt.Errorf("%s has layout %s: its bootstrap and kernel cannot read %s", image, img.Version, spec.Version)
	}
	info, err := os.Stat(image)
	if err != nil {
		return Summary{}, err
	}
	return writeFile(ctx, image, spec, info.Mode().Perm())
}

// Replace puts a host file in the place of a file that is in the image, keeping
// its permissions. check may look at the new content first (nil: no check); it
// gets the path inside the image.
func Replace(ctx context.Context, image, name, file string, check func(path string, c Content) error) (Summary, error) {
	c, err := FileContent(file)
	if err != nil {
		return Summary{}, err
	}
	return Rewrite(ctx, image, func(s *Spec) error {
		n, err := s.Root.Lookup(name)
		if err != nil {
			return fmt.Errorf("%s: %w", image, err)
		}
		if n.Kind != File {
			return fmt.Errorf("%s: %s is a %s, only files are replaced", image, name, n.Kind)
		}
		if check != nil {
			if err := check(name, c); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		n.Content = c
		return nil
	})
}
