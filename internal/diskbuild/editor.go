package diskbuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/session"
)

// keptSnapshots is how many images from before the last changes are kept.
const keptSnapshots = 5

// ToolRecipe makes the program that reads and writes RedoxFS.
const ToolRecipe = "redoxfs-tool"

// ToolPath is where the tool is exported to.
func ToolPath(s *session.Session) string {
	return filepath.Join(s.Config.Out(), ToolRecipe, "root", "bin", "redoxfs-tool")
}

// Edit opens an image with the tool brought up to date.
func Edit(ctx context.Context, s *session.Session, path string, do func(*disk.Editor) error) error {
	path, err := Existing(s, path)
	if err != nil {
		return err
	}
	tool, err := Tool(ctx, s)
	if err != nil || tool == "" {
		return err
	}
	e, err := disk.Open(ctx, tool, path)
	if err != nil {
		return err
	}
	defer e.Close()
	e.Keep = keptSnapshots
	return do(e)
}

// Existing is the image that a flag names, or the default one. It must be there: that is looked at before a compiler runs for the
// tool that reads it.
func Existing(s *session.Session, path string) (string, error) {
	path = OrDefault(s, path)
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		return "", fmt.Errorf("no image: %w; `mage image` builds %s", err, s.Relative(s.Config.Image(DefaultImage)))
	}
	return path, nil
}

// OrDefault is the image that a flag names, or else the one that `mage image` builds.
func OrDefault(s *session.Session, path string) string {
	if path == "" {
		return s.Config.Image(DefaultImage)
	}
	return path
}

// Tool builds redoxfs-tool. With -dryrun it prints the plan and returns "".
func Tool(ctx context.Context, s *session.Session) (string, error) {
	built, err := s.Build(ctx, session.BuildOptions{Quiet: true}, func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Stage(ToolRecipe)
		return []*graph.Node{n}, err
	})
	if err != nil || built == nil {
		return "", err
	}
	if err := s.Export(ctx, built.Output(0), filepath.Join(s.Config.Out(), ToolRecipe)); err != nil {
		return "", err
	}
	return ToolPath(s), nil
}

// Volume opens the file system of an image that is there for reading, with the tool brought up to date; nil after a dry run.
func Volume(ctx context.Context, s *session.Session, path string) (*redoxfs.Volume, error) {
	path, err := Existing(s, path)
	if err != nil {
		return nil, err
	}
	tool, err := Tool(ctx, s)
	if err != nil || tool == "" {
		return nil, err
	}
	v, err := disk.Volume(tool, path)
	return &v, err
}
