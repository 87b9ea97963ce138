package cache

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pannous/redox-clif/internal/cacheparts"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Dir prints where the cache is.
func Dir(s *session.Session) error {
	_, err := fmt.Fprintln(s.Streams.Out, s.Config.Cache)
	return err
}

// shownFolders is how many of the work folders cache:stats lists.
const shownFolders = 20

// Stats prints what is in the cache and how much of it.
func Stats(ctx context.Context, s *session.Session, asJSON bool) error {
	inv, err := cacheparts.Of(s).Inventory(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "cache:stats", inv)
	}
	return printInventory(s.Streams.Out, inv)
}

func printInventory(out io.Writer, inv *gc.Inventory) error {
	rows := [][]string{{"FOLDER", "FILES", "SIZE", "HOLDS"}}
	for _, p := range inv.Parts {
		rows = append(rows, []string{p.Name, fmt.Sprint(p.Files), ui.Bytes(p.Size), p.Holds})
	}
	rows = append(rows, []string{"total", "", ui.Bytes(inv.Size), inv.Dir})
	if err := ui.Table(out, rows); err != nil {
		return err
	}
	if inv.Archives > 0 {
		fmt.Fprintf(out, "of cas: %d archives of packages, %s\n", inv.Archives, ui.Bytes(inv.ArchivesSize))
	}
	if len(inv.Work) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	return ui.Table(out, workRows(inv.Work))
}

// workRows lists the largest of the lasting folders: they are most of what a cache weighs.
func workRows(folders []gc.WorkFolder) [][]string {
	rows := [][]string{{"WORK FOLDER", "SIZE", "LAST USED"}}
	var rest int64
	for i, f := range folders {
		if i >= shownFolders {
			rest += f.Size
			continue
		}
		rows = append(rows, []string{f.Name, ui.Bytes(f.Size), ui.Seconds(time.Since(f.Used)) + " ago"})
	}
	if n := len(folders) - shownFolders; n > 0 {
		rows = append(rows, []string{fmt.Sprintf("and %d smaller ones", n), ui.Bytes(rest), ""})
	}
	return rows
}

// Verify hashes everything in the cache and drops what is damaged or incomplete; the next build
// makes it again. It returns an error when there was something to drop.
func Verify(ctx context.Context, s *session.Session) error {
	v, err := cacheparts.Of(s).Verify(ctx)
	if err != nil {
		return err
	}
	out := s.Streams.Out
	for _, d := range v.Damaged {
		fmt.Fprintf(out, "blob %s did not fit its name: dropped\n", d.Short())
	}
	for _, r := range v.Incomplete {
		fmt.Fprintf(out, "result of %s: %s: dropped\n", r.Node, r.Problem)
	}
	for _, name := range v.Packages {
		fmt.Fprintf(out, "package with entry table %.12s: its archive is damaged or missing: dropped\n", name)
	}
	if v.Dropped() > 0 {
		return fmt.Errorf("%d damaged blobs, %d incomplete and %d damaged results and %d packages were dropped; the next build makes them again, or fetches them",
			len(v.Damaged), len(v.Incomplete), v.Unreadable, len(v.Packages))
	}
	fmt.Fprintf(out, "%d blobs and %d results are whole\n", v.Blobs, v.Results)
	return nil
}

// GC removes what has not been used for longest until the cache keeps to the bounds.
func GC(ctx context.Context, s *session.Session, bounds gc.Bounds) error {
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	done, err := cacheparts.Of(s).Collect(ctx, bounds, time.Now(), s.Config.DryRun)
	if err != nil {
		return err
	}
	if !s.Config.DryRun {
		s.Sweep()
	}
	printCollection(s.Streams.Out, done, bounds)
	return nil
}

func printCollection(out io.Writer, c *gc.Collection, bounds gc.Bounds) {
	verb := "removed"
	if c.DryRun {
		verb = "would remove"
	}
	fmt.Fprintf(out, "%s %d results, %d blobs and %d work folders: %s; %s stay\n", verb, c.Results, c.Blobs, c.Folders, ui.Bytes(c.Freed), ui.Bytes(c.Left))
	if c.Archives+c.Partial > 0 {
		fmt.Fprintf(out, "%s %d archives of packages, which are among the blobs, and %d unfinished downloads\n", verb, c.Archives, c.Partial)
	}
	if c.Unpacked > 0 {
		fmt.Fprintf(out, "%s %d crates that cargo unpacked when it fetched them, and that no build reads\n", verb, c.Unpacked)
	}
	if c.InUse > 0 {
		fmt.Fprintf(out, "%d folders are in use and stay\n", c.InUse)
	}
	if c.Over {
		fmt.Fprintf(out, "that is more than %s: the rest is what the last builds of this checkout consist of, or was used within the hour\n", ui.Bytes(bounds.Size))
	}
}
