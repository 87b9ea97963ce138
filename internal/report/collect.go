package report

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/purity"
	"github.com/pannous/redox-clif/internal/remote"
)

// Sources are where the parts of a report lie. All but the first two may be left out.
type Sources struct {
	Root string // of the checkout, for names of files
	Out  string // what builds leave: image, manifest, reports of tests

	Trace   string // of the last build
	Logs    string // the folder of the logs
	History *graph.History
	// Image is the newest initfs, with its manifest beside it.
	Image string
	// Against is a manifest to compare with, and AgainstName what it is for people. With Required it is an error when it is not there.
	Against     string
	AgainstName string
	Required    bool
	// Patches is the folder of the patch series.
	Patches fs.FS
	// Drift and Remote read what these came to, and when; the error may be fs.ErrNotExist.
	Drift  func(*drift.Report) (time.Time, error)
	Remote func(*remote.Stats) (time.Time, error)
	// Stacks finds the traces of a serial log.
	Stacks func(log io.Reader) ([]crash.Stack, error)
	// Crates are the bytes of each crate in a file of the image.
	Crates func(manifest.File) (map[string]int64, error)
	// Cache says what is in the cache.
	Cache func(context.Context) (*gc.Inventory, error)
}

// Collect makes a report of what is there.
func Collect(ctx context.Context, from Sources, target string, now time.Time) (*Report, error) {
	c := &collector{Sources: from, Report: &Report{Target: target, Made: now.UTC(), Patches: []Series{}, Tests: []Suite{}, Missing: []Missing{}}}
	for _, part := range []func(context.Context) error{c.addBuild, c.addImage, c.addChange, c.addPurity, c.addDrift, c.addPatches, c.addTests, c.addCache, c.addRemote} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return c.Report, nil
}

type collector struct {
	Sources
	*Report
	manifest *manifest.Manifest
}

func (c *collector) miss(what, how string) { c.Missing = append(c.Missing, Missing{what, how}) }

// relative is a path for people.
func (c *collector) relative(path string) string {
	return strings.TrimPrefix(path, c.Root+string(filepath.Separator))
}

func (c *collector) addPurity(context.Context) error {
	if c.Sources.Image == "" || c.Report.Image == nil {
		return nil
	}
	p, err := purity.Of(c.Sources.Image)
	if err != nil {
		// The manifest may be there without the image, or beside another one.
		c.miss("what the programs say of their making", "mage initfs makes the image that they are read of: "+err.Error())
		return nil
	}
	p.Image = c.relative(p.Image)
	c.Report.Purity = p
	return nil
}

func (c *collector) addDrift(context.Context) error {
	if c.Sources.Drift == nil {
		return nil
	}
	d := &Drift{}
	when, err := c.Sources.Drift(&d.Report)
	if err != nil {
		c.miss("whether anything drifted", "mage drift compares"+unlessAbsent(err))
		return nil
	}
	d.When = when.UTC()
	c.Report.Drift = d
	return nil
}

func (c *collector) addRemote(context.Context) error {
	if c.Sources.Remote == nil {
		return nil
	}
	r := &Remote{}
	when, err := c.Sources.Remote(&r.Stats)
	if err == nil {
		r.When = when.UTC()
		c.Report.Remote = r
	}
	return nil // most checkouts have no remote cache
}

func (c *collector) addCache(ctx context.Context) error {
	if c.Sources.Cache == nil {
		return nil
	}
	inv, err := c.Sources.Cache(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		c.miss("what is in the cache", "mage cache:stats counts it: "+err.Error())
		return nil
	}
	c.Report.Cache = &Cache{Inventory: *inv}
	if b := c.Report.Build; b != nil {
		if n := b.Counts; n.Ran+n.UpToDate+n.Fetched > 0 {
			c.Report.Cache.HitPercent = (n.UpToDate + n.Fetched) * 100 / (n.Ran + n.UpToDate + n.Fetched)
		}
	}
	return nil
}

// unlessAbsent is what is wrong with a file that is there.
func unlessAbsent(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return ": " + err.Error()
}

// written is when a file was written, the zero time without it.
func written(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}
