package session

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/ui"
)

// image wants a recipe's image, and the stage beside it.
func image(name string) Want {
	return func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Initfs(name)
		if err != nil {
			return nil, err
		}
		return []*graph.Node{n}, nil
	}
}

// Initfs builds the real initfs.
func (s *Session) Initfs(ctx context.Context) error {
	built, err := s.Build(ctx, BuildOptions{}, image("initfs"))
	if err != nil || built == nil {
		return err
	}
	return s.showImage(ctx, built)
}

func (s *Session) showImage(ctx context.Context, built *Built) error {
	m, err := s.exportImage(ctx, built.Output(0))
	if err != nil {
		return err
	}
	s.say("%s: %s, %d files, sha256 %s", filepath.Join(s.relative(s.Config.Out()), builder.ImageName),
		ui.Bytes(m.Image.Size), len(m.Files), m.Image.SHA256[:16])
	if shares := backendShares(m); shares != "" {
		s.say("compiled by %s", shares)
	}
	if m.Purity != nil {
		s.say("purity: %s (`mage purity` lists what is not)", purityText(m.Purity))
	}
	return nil
}

// backendShares says how many of the compiled bytes came from which backend; the bootstrap, which is
// no file of the image's tree, is not among them.
func backendShares(m *manifest.Manifest) string {
	var total int64
	for _, n := range m.Bytes {
		total += n
	}
	var shares []string
	for _, backend := range slices.Sorted(maps.Keys(m.Bytes)) {
		n := m.Bytes[backend]
		shares = append(shares, fmt.Sprintf("%s: %s (%.0f %%)", backend, ui.Bytes(n), 100*float64(n)/float64(total)))
	}
	return strings.Join(shares, ", ")
}
