package source

import (
	"context"
	"os"
)

// ExportPart is Export for a part of an archive that was fetched: of the entries below the leading folders that are
// dropped, those that wants accepts. A hard link is written only with its target.
func (f *Fetcher) ExportPart(ctx context.Context, a Archive, wants func(name string) bool, dest string) error {
	if err := emptyDir(dest); err != nil {
		return err
	}
	return diskFull(dest, f.exportTar(ctx, f.archiveFile(a), a.Strip, a.URL, dest, wants, &Findings{}))
}

// ExportCrate writes a crate that is in the store out: of its files those that wants accepts, all when it is nil.
func (f *Fetcher) ExportCrate(ctx context.Context, c Crate, wants func(name string) bool, dest string) error {
	if _, err := os.Lstat(f.crateFile(c.SHA256)); err != nil {
		if from := f.replaced(c); from != "" {
			return diskFull(dest, exportReplaced(ctx, c, from, wants, dest))
		}
	}
	return diskFull(dest, f.exportTar(ctx, f.crateFile(c.SHA256), 1, c.String(), dest, wants, &Findings{}))
}

// Arrived is how many bytes of an archive that is being fetched are here.
func (f *Fetcher) Arrived(a Archive) int64 {
	for _, file := range []string{f.archiveFile(a), f.archiveFile(a) + ".part"} {
		if info, err := os.Stat(file); err == nil {
			return info.Size()
		}
	}
	return 0
}
