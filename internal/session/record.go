package session

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/trace"
	"github.com/pannous/redox-clif/internal/ui"
)

// What runs leave behind for `mage report`. Nothing that is built depends on it, so that it is no failure when it cannot be written.

// TraceFile tells of the last build.
func (s *Session) TraceFile() string { return filepath.Join(s.Config.Out(), trace.FileName) }

func (s *Session) about(b *builder.Builder, roots []*graph.Node) trace.About {
	a := trace.About{Target: s.Config.Target, Set: s.Config.Set, Toolchain: b.Toolchain(), Jobs: s.Config.Jobs}
	for _, n := range roots {
		a.Roots = append(a.Roots, n.ID)
	}
	return a
}

// failure is what people are told of a build's failures, without colours and annotations; "" for none.
func (s *Session) failure(err error) string {
	if err == nil {
		return ""
	}
	plain, cfg := *s, *s.Config
	cfg.GitHub, cfg.NoColour = false, true
	plain.Config = &cfg
	return plain.Explain(err).Error()
}

// FoundFile is where Keep puts what a target found.
func (s *Session) FoundFile(target string) string {
	return filepath.Join(s.Config.Out(), "found", target+".json")
}

// Keep leaves what a target found, as its -json prints it, for later reports.
func (s *Session) Keep(target string, found any) {
	var text bytes.Buffer
	file := s.FoundFile(target)
	err := ui.WriteJSON(&text, target, found)
	if err == nil {
		err = writeWhole(file, text.Bytes())
	}
	if err != nil {
		s.Say("could not keep what %s found: %v", target, err)
	}
}

func writeWhole(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, text, 0o644, renameio.WithTempDir(filepath.Dir(file)))
}

// PreviousManifest is the manifest of the last image of a recipe that was another one than the newest; it need not exist.
func (s *Session) PreviousManifest(recipe string) string {
	return filepath.Join(s.Config.State(), "manifests", recipe+".previous.json")
}

// keepManifest remembers the manifest of the newest image of a recipe, and the one before it.
func (s *Session) keepManifest(recipe string, text []byte) {
	newest := filepath.Join(s.Config.State(), "manifests", recipe+".json")
	old, err := os.ReadFile(newest)
	if err == nil && bytes.Equal(old, text) {
		return
	}
	if err == nil {
		err = writeWhole(s.PreviousManifest(recipe), old)
	} else if os.IsNotExist(err) {
		err = nil
	}
	if err == nil {
		err = writeWhole(newest, text)
	}
	if err != nil {
		s.Say("could not keep the manifest for reports: %v", err)
	}
}
