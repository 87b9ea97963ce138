package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Dir prints where the cache is.
func Dir(s *session.Session) error {
	_, err := fmt.Fprintln(s.Streams.Out, s.Config.Cache)
	return err
}

// cacheFolders are the parts of the cache, for people.
var cacheFolders = []struct{ name, holds string }{
	{"actions", "results by action digest"},
	{"cas", "files and trees by digest"},
	{"work", "folders that tools work in, with cargo's incremental state"},
	{"sources", "fetched repositories and archives"},
	{"cargo-home", "crates that cargo downloaded"},
	{"toolchains", "what is known of toolchains"},
	{"pkg", "keys and lists of package repositories, and unfinished downloads"},
	{"rust", "toolchains built from sources, and the folders they were built in"},
	{"upstream", "what drift:upstream looked at"},
	{"locks", "locks of steps"},
	{config.ReproPrefix + "*", "pairs of builds that repro compares or keeps for a look"},
}

// cacheFolder is the row of cacheFolders for what lies in the cache under a name.
func cacheFolder(name string) (row int, ok bool) {
	for i, f := range cacheFolders {
		if match, _ := filepath.Match(f.name, name); match {
			return i, true
		}
	}
	return 0, false
}

// shownFolders is how many of the work folders cache:stats lists.
const shownFolders = 20

// Stats prints what is in the cache and how much of it.
func Stats(ctx context.Context, s *session.Session) error {
	entries, err := os.ReadDir(s.Config.Cache)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files, sizes := make([]int, len(cacheFolders)+1), make([]int64, len(cacheFolders)+1)
	var total int64
	for _, e := range entries {
		n, size, err := session.SizeOf(ctx, filepath.Join(s.Config.Cache, e.Name()))
		if err != nil {
			return err
		}
		row, ok := cacheFolder(e.Name())
		if !ok {
			row = len(cacheFolders)
		}
		files[row] += n
		sizes[row] += size
		total += size
	}
	rows := [][]string{{"FOLDER", "FILES", "SIZE", "HOLDS"}}
	for i, f := range cacheFolders {
		rows = append(rows, []string{f.name, fmt.Sprint(files[i]), ui.Bytes(sizes[i]), f.holds})
	}
	if other := len(cacheFolders); files[other] > 0 {
		rows = append(rows, []string{"other", fmt.Sprint(files[other]), ui.Bytes(sizes[other]), "what is not ours, or not any more"})
	}
	rows = append(rows, []string{"total", "", ui.Bytes(total), s.Config.Cache})
	if err := errors.Join(ui.Table(s.Streams.Out, rows), archiveStats(s)); err != nil {
		return err
	}
	return workStats(ctx, s)
}

// workStats lists the largest of the lasting folders: they are most of what a cache weighs.
func workStats(ctx context.Context, s *session.Session) error {
	folders, err := s.Roots().Folders()
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	for _, f := range folders {
		if _, sizes[f.Path], err = session.SizeOf(ctx, f.Path); err != nil {
			return err
		}
	}
	slices.SortStableFunc(folders, func(a, b execroot.Lasting) int { return cmp.Compare(sizes[b.Path], sizes[a.Path]) })
	rows := [][]string{{"WORK FOLDER", "SIZE", "LAST USED"}}
	var rest int64
	for i, f := range folders {
		if i >= shownFolders {
			rest += sizes[f.Path]
			continue
		}
		rows = append(rows, []string{s.InWork(f.Path), ui.Bytes(sizes[f.Path]), ui.Seconds(time.Since(f.Used)) + " ago"})
	}
	if len(rows) == 1 {
		return nil
	}
	if n := len(folders) - shownFolders; n > 0 {
		rows = append(rows, []string{fmt.Sprintf("and %d smaller ones", n), ui.Bytes(rest), ""})
	}
	fmt.Fprintln(s.Streams.Out)
	return ui.Table(s.Streams.Out, rows)
}

// Verify hashes everything in the cache and drops what is damaged or incomplete; the next build
// makes it again. It returns an error when there was something to drop.
func Verify(ctx context.Context, s *session.Session) error {
	damaged, count, err := s.Store.Verify(ctx)
	if err != nil {
		return err
	}
	for _, d := range damaged {
		fmt.Fprintf(s.Streams.Out, "blob %s did not fit its name: dropped\n", d.Short())
	}
	results, incomplete := 0, 0
	var broken []cas.Digest
	spoilt, err := s.Actions.Walk(func(key cas.Digest, r action.Result, _ fs.FileInfo) error {
		results++
		err := s.Store.Complete(r.Output)
		if errors.As(err, new(*cas.MissingError)) {
			incomplete++
			broken = append(broken, key)
			fmt.Fprintf(s.Streams.Out, "result of %s: %v: dropped\n", r.Node, err)
			return ctx.Err()
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return err
	}
	for _, key := range broken {
		if err := s.Actions.Forget(key); err != nil {
			return err
		}
	}
	packages, err := verifyArchives(s)
	if err != nil {
		return err
	}
	if n := len(damaged) + incomplete + spoilt + packages; n > 0 {
		return fmt.Errorf("%d damaged blobs, %d incomplete and %d damaged results and %d packages were dropped; the next build makes them again, or fetches them",
			len(damaged), incomplete, spoilt, packages)
	}
	fmt.Fprintf(s.Streams.Out, "%d blobs and %d results are whole\n", count, results)
	return nil
}

// sweepLocks removes the lock files of killed runs.
func sweepLocks(s *session.Session) error {
	dir := s.Config.Locks()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		lock, err := lockfile.Try(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if lock != nil {
			lock.ReleaseAndRemove()
		}
	}
	return nil
}

// sweepRepros removes the folders that Repro left, killed or on purpose for a look at a difference.
func sweepRepros(s *session.Session) error {
	left, err := globdir.In(s.Config.Cache, config.ReproPrefix+"*")
	if err != nil {
		return err
	}
	for _, dir := range left {
		lock, err := lockfile.Try(filepath.Join(dir, ".lock"))
		if err != nil {
			return err
		}
		if lock == nil {
			continue // its builds run
		}
		err = os.RemoveAll(dir)
		lock.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
