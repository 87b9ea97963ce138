package gc

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/config"
)

// Inventory is what is in a cache and how much of it.
type Inventory struct {
	Dir   string `json:"dir"`
	Parts []Part `json:"parts"`
	Size  int64  `json:"size"` // bytes
	// Work are the folders that tools work in, the largest first.
	Work []WorkFolder `json:"work"`
	// Archives are the packages' archives, which are among the blobs.
	Archives     int   `json:"archives"`
	ArchivesSize int64 `json:"archives_size"` // bytes
}

// Part is one of the folders of the cache.
type Part struct {
	Name  string `json:"name"`
	Holds string `json:"holds"`
	Files int    `json:"files"`
	Size  int64  `json:"size"` // bytes
}

// WorkFolder is a lasting folder of a step.
type WorkFolder struct {
	Name string    `json:"name"` // below the folder of all work folders
	Size int64     `json:"size"` // bytes
	Used time.Time `json:"used"`
}

// parts are the folders that are ours, as patterns.
var parts = []Part{
	{Name: "actions", Holds: "results by action digest"},
	{Name: "cas", Holds: "files and trees by digest"},
	{Name: "work", Holds: "folders that tools work in, with cargo's incremental state"},
	{Name: "sources", Holds: "fetched repositories and archives"},
	{Name: "cargo-home", Holds: "crates that cargo downloaded"},
	{Name: "toolchains", Holds: "what is known of toolchains"},
	{Name: "pkg", Holds: "what was seen of package repositories, and unfinished downloads"},
	{Name: "rust", Holds: "toolchains built from sources, and the folders they were built in"},
	{Name: "upstream", Holds: "what drift:upstream looked at"},
	{Name: "locks", Holds: "locks of steps"},
	{Name: config.ReproPrefix + "*", Holds: "pairs of builds that repro compares or keeps for a look"},
}

// OtherPart is the name of the part that is not ours, or not any more.
const OtherPart = "other"

// Inventory counts everything in the cache. One that is not there is empty.
func (c *Cache) Inventory(ctx context.Context) (*Inventory, error) {
	inv := &Inventory{Dir: c.Dir, Parts: append(slices.Clone(parts), Part{Name: OtherPart, Holds: "what is not ours, or not any more"})}
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		files, size, err := FolderSize(ctx, filepath.Join(c.Dir, e.Name()))
		if err != nil {
			return nil, err
		}
		p := inv.partOf(e.Name())
		p.Files += files
		p.Size += size
		inv.Size += size
	}
	if last := len(inv.Parts) - 1; inv.Parts[last].Files == 0 {
		inv.Parts = inv.Parts[:last]
	}
	return inv, errors.Join(c.countArchives(inv), c.listWork(ctx, inv))
}

func (inv *Inventory) partOf(name string) *Part {
	last := len(inv.Parts) - 1
	for i := range inv.Parts[:last] {
		if match, _ := filepath.Match(inv.Parts[i].Name, name); match {
			return &inv.Parts[i]
		}
	}
	return &inv.Parts[last]
}

func (c *Cache) countArchives(inv *Inventory) error {
	refs, err := c.Archives.References()
	for _, r := range refs {
		inv.Archives++
		inv.ArchivesSize += r.Blob.Size
	}
	return err
}

func (c *Cache) listWork(ctx context.Context, inv *Inventory) error {
	folders, err := c.Work.Folders()
	if err != nil {
		return err
	}
	for _, f := range folders {
		_, size, err := FolderSize(ctx, f.Path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(f.Path, c.Work.Dir+string(filepath.Separator)))
		inv.Work = append(inv.Work, WorkFolder{name, size, f.Used})
	}
	slices.SortStableFunc(inv.Work, func(a, b WorkFolder) int { return cmp.Compare(b.Size, a.Size) })
	return nil
}
