package initfs

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Build builds the real initfs.
func Build(ctx context.Context, s *session.Session) error {
	built, err := s.Build(ctx, session.BuildOptions{}, session.InitfsOf("initfs"))
	if err != nil || built == nil {
		return err
	}
	if err := showInitfs(ctx, s, built); err != nil {
		return err
	}
	s.KeepUnchanged(built)
	return nil
}

func showInitfs(ctx context.Context, s *session.Session, built *session.Built) error {
	m, err := s.ExportInitfs(ctx, built.Output(0))
	if err != nil {
		return err
	}
	s.Say("%s: %s, %d files, sha256 %s", filepath.Join(s.Relative(s.Config.Out()), builder.ImageName),
		ui.Bytes(m.Image.Size), len(m.Files), m.Image.SHA256[:16])
	if shares := backendShares(m); shares != "" {
		s.Say("compiled programs, without the bootstrap: %s", shares)
	}
	if m.Purity != nil {
		s.Say("purity: %s (`mage purity` lists what is not)", purityText(*m.Purity))
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
		// Rounded down, as the purity is: 100 means all.
		shares = append(shares, fmt.Sprintf("%s %s (%.1f %%)", backend, ui.Bytes(n), float64(n*1000/max(total, 1))/10))
	}
	return strings.Join(shares, ", ")
}
