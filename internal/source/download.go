package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/download"
)

func (f *Fetcher) archiveFile(a Archive) string {
	return filepath.Join(f.Store, "archive", a.digests().file())
}
func (f *Fetcher) crateFile(sum string) string { return filepath.Join(f.Store, "crate", sum) }

func (f *Fetcher) fetchArchive(ctx context.Context, a Archive, from string) error {
	file := f.archiveFile(a)
	_, local := download.Local(from)
	return f.keep(ctx, file, a.URL, a.digests(), local || !f.Offline, func() error {
		return f.get(ctx, from, file, a.URL, a.digests())
	})
}

// get gives what lies at from its final name in the store once it is complete and has the digests. What came of it before, in
// this run or an earlier one, is continued.
func (f *Fetcher) get(ctx context.Context, from, file, what string, want digests) error {
	// A host that gives nothing is not asked again: there may be many sources at it, and its name tells the user more than waiting.
	client := download.Client{HTTP: f.Client, Stall: f.Stall, Attempts: 1}
	part := file + ".part"
	err := client.Get(ctx, download.File{From: []string{from}, Part: part, Check: func(r io.Reader) error {
		return want.check(what, r)
	}})
	if err != nil {
		return downloadFailure(from, err)
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
