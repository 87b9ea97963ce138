package image

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/bundle"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/source"
)

// writeBundle writes what recipes are made of into one file.
func writeBundle(ctx context.Context, s *session.Session, built *session.Built, names []string, file string) error {
	contents, err := built.Builder.Sources().Contents(ctx, names, built.Summary.Outputs)
	if err != nil {
		return err
	}
	fetcher := s.Fetcher(builder.Tools{}, "")
	slices.SortFunc(contents.Sources, func(a, b source.Source) int { return cmp.Compare(fetcher.PieceFolder(a), fetcher.PieceFolder(b)) })
	contents.Sources = slices.CompactFunc(contents.Sources, func(a, b source.Source) bool { return fetcher.PieceFolder(a) == fetcher.PieceFolder(b) })
	out, err := renameio.NewPendingFile(file, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer out.Cleanup()
	buffered := bufio.NewWriterSize(out, 1<<20)
	w, err := bundle.NewWriter(buffered)
	if err != nil {
		return err
	}
	for _, src := range contents.Sources {
		if err := fetcher.EachPiece(ctx, src, w.Add); err != nil {
			return fmt.Errorf("%s: %w", src, err)
		}
	}
	if err := fetcher.EachLock(contents.Locks, w.Add); err != nil {
		return err
	}
	if err := errors.Join(w.Close(), buffered.Flush()); err != nil {
		return err
	}
	info, err := out.Stat()
	if err != nil {
		return err
	}
	if err := out.CloseAtomicallyReplace(); err != nil {
		return err
	}
	s.Say("%s: %d sources, %d MB; `mage fetch -from=FILE` reads it", file, len(contents.Sources), info.Size()/1e6)
	return nil
}

// readBundle takes what is in such a file into the cache.
func readBundle(ctx context.Context, s *session.Session, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	staging, err := s.Fetcher(builder.Tools{}, "").Stage()
	if err != nil {
		return err
	}
	defer staging.Close()
	pieces := 0
	err = bundle.Read(ctx, bufio.NewReaderSize(in, 1<<20), func(name string, _ int64, body io.Reader) error {
		pieces++
		return staging.Take(name, body)
	})
	if err == nil {
		err = staging.Publish(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	s.Say("%s: every digest of %d files is right, and the cache has them; builds with -offline work", file, pieces)
	return nil
}
