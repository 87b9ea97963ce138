package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/pannous/redox-clif/internal/download"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/toolenv"
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

func fileSHA256(name string) (string, error) {
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	_, err = io.Copy(h, in)
	return hex.EncodeToString(h.Sum(nil)), err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fetchCrate lets cargo fetch a stub package that depends on exactly this
// version, and takes the .crate file from cargo's cache. cargo also gets the
// crate's dependencies, which a build of it needs anyhow.
func (f *Fetcher) fetchCrate(ctx context.Context, c Crate) error {
	file := f.crateFile(c.SHA256)
	return f.keep(ctx, file, c.String(), c.digests(), !f.Offline, func() error {
		if cached := f.cachedCrate(c); cached != "" {
			return f.get(ctx, cached, file, c.String(), c.digests())
		}
		if err := f.cargoFetch(ctx, c); err != nil {
			return err
		}
		cached := f.cachedCrate(c)
		if cached == "" {
			return fmt.Errorf("cargo fetched %s but its cache in %s has no such file (is the registry replaced by a folder?): name a [source] for it in overrides.toml", c, f.CargoHome)
		}
		return f.get(ctx, cached, file, c.String(), c.digests())
	})
}

func (f *Fetcher) cachedCrate(c Crate) string {
	found, err := globdir.In(filepath.Join(f.CargoHome, "registry/cache"), "*/"+c.Name+"-"+c.Version+".crate")
	if err != nil {
		return ""
	}
	for _, name := range found {
		if sum, err := fileSHA256(name); err == nil && sum == c.SHA256 {
			return name
		}
	}
	if len(found) > 0 {
		return found[0] // get will say that its digest is wrong
	}
	return ""
}

func (f *Fetcher) cargoFetch(ctx context.Context, c Crate) error {
	if f.Cargo == "" {
		return &NoCargoError{Crate: c.String()}
	}
	dir, err := os.MkdirTemp(f.Store, "crate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	manifest := fmt.Sprintf("[package]\nname = \"stub\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[dependencies]\nstub_dep = { package = %q, version = \"=%s\" }\n[workspace]\n", c.Name, c.Version)
	err = errors.Join(os.WriteFile(filepath.Join(dir, "Cargo.toml"), []byte(manifest), 0o644), os.WriteFile(filepath.Join(dir, "lib.rs"), nil, 0o644))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, f.Cargo, "fetch", "--quiet")
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(f.Env), "CARGO_HOME="+f.CargoHome, "CARGO_TERM_COLOR=never", toolenv.CargoRoot+"="+dir)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return cargoFailure(c, string(out))
	}
	return err
}

func cargoFailure(c Crate, message string) error {
	if gitHost.MatchString(message) {
		return &HostError{Host: "the crate registry", Err: errors.New(lineWith(gitHost, message))}
	}
	return fmt.Errorf("cargo fetch of %s: %s", c, lineWith(cargoError, message))
}

var cargoError = regexp.MustCompile(`^error: `)
