package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/globdir"
)

// Crates brings crates into the store. Those that neither the store nor cargo's home has whole are fetched by download, which is
// called once: it has cargo bring them into its home. Cargo believes what it finds there, so that a crate is checked on its way
// from there, and one that is damaged goes.
func (f *Fetcher) Crates(ctx context.Context, all []Crate, download func() error) error {
	var lacking []Crate
	for _, c := range all {
		err := missing(f.crateFile(c.SHA256), c.String(), c.digests())
		if err == nil {
			continue
		}
		if adopted, err := f.adopt(ctx, c); err != nil {
			return err
		} else if adopted {
			continue
		}
		if f.replaced(c) != "" {
			continue
		}
		if f.Offline {
			return offline(c.String(), err)
		}
		lacking = append(lacking, c)
	}
	if len(lacking) == 0 {
		return nil
	}
	if err := f.download(lacking, download); err != nil {
		return err
	}
	for _, c := range lacking {
		if err := f.adoptNew(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// download has cargo fetch. What it had unpacked of the crates may be what it stumbles over.
func (f *Fetcher) download(lacking []Crate, download func() error) error {
	err := download()
	if err == nil {
		return nil
	}
	unpacked := 0
	for _, c := range lacking {
		found, _ := globdir.In(filepath.Join(f.CargoHome, "registry/src"), "*/"+c.Name+"-"+c.Version)
		for _, dir := range found {
			unpacked++
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	if unpacked == 0 {
		return err
	}
	return download()
}

// adopt takes a crate that cargo's home has into the store, and removes there what is not that crate.
func (f *Fetcher) adopt(ctx context.Context, c Crate) (adopted bool, err error) {
	for _, name := range f.cached(c) {
		if missing(name, c.String(), c.digests()) != nil {
			if err := os.RemoveAll(name); err != nil {
				return false, err
			}
			continue
		}
		return true, f.take(ctx, c, name)
	}
	return false, nil
}

// adoptNew takes a crate that cargo has just fetched.
func (f *Fetcher) adoptNew(ctx context.Context, c Crate) error {
	found := f.cached(c)
	if len(found) == 0 {
		return fmt.Errorf("cargo fetched %s but its cache in %s has no such file (what replaces the registry lacks it): name a [source] for it in overrides.toml", c, f.CargoHome)
	}
	for _, name := range found {
		if missing(name, c.String(), c.digests()) == nil {
			return f.take(ctx, c, name)
		}
	}
	return f.take(ctx, c, found[0]) // says that its digest is wrong
}

// take brings a crate from a file of this machine.
func (f *Fetcher) take(ctx context.Context, c Crate, from string) error {
	file := f.crateFile(c.SHA256)
	return f.keep(ctx, file, c.String(), c.digests(), true, func() error {
		return f.get(ctx, from, file, c.String(), c.digests())
	})
}

// cached are the files that cargo's home, or a folder in the registry's place, has under the crate's name.
func (f *Fetcher) cached(c Crate) []string {
	name := c.Name + "-" + c.Version + ".crate"
	found, err := globdir.In(filepath.Join(f.CargoHome, "registry/cache"), "*/"+name)
	if err != nil {
		return nil
	}
	if local := f.inPlace().local; local != "" {
		if at := filepath.Join(local, name); missing(at, c.String(), c.digests()) == nil {
			found = append(found, at)
		}
	}
	return found
}
