package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/toolenv"
)

// fetchCrate lets cargo fetch a stub package that depends on exactly this
// version, and takes the .crate file from cargo's cache. cargo also gets the
// crate's dependencies, which a build of it needs anyhow.
func (f *Fetcher) fetchCrate(ctx context.Context, c Crate) error {
	return f.Crates(ctx, []Crate{c}, func() error { return f.cargoFetch(ctx, c) })
}

func (f *Fetcher) cargoFetch(ctx context.Context, c Crate) error {
	return f.askCargo(ctx, c.String(), c.Name, "="+c.Version, "fetch", func(string) error { return nil })
}

// Crate finds a package of the registry as cargo would choose it: that version, or the newest that the compiler in use is new enough
// for where version is "".
func (f *Fetcher) Crate(ctx context.Context, name, version string) (Crate, error) {
	what, requirement := "crate "+name, "*"
	if version != "" {
		what, requirement = what+" "+version, "="+version
	}
	if f.Offline {
		return Crate{}, &OfflineError{What: what}
	}
	if !crateName.MatchString(name) {
		return Crate{}, fmt.Errorf("%q is no crate name", name)
	}
	if err := os.MkdirAll(f.Store, 0o755); err != nil {
		return Crate{}, err
	}
	var lock struct {
		Package []struct{ Name, Version, Checksum string }
	}
	err := f.askCargo(ctx, what, name, requirement, "generate-lockfile", func(dir string) error {
		_, err := toml.DecodeFile(filepath.Join(dir, "Cargo.lock"), &lock)
		return err
	})
	if err != nil {
		return Crate{}, err
	}
	for _, p := range slices.Backward(lock.Package) { // older ones of the name may be among its dependencies
		if p.Name == name && (version == "" || p.Version == version) {
			return Crate{Name: p.Name, Version: p.Version, SHA256: p.Checksum}, nil
		}
	}
	return Crate{}, fmt.Errorf("cargo locked no %s", what)
}

// askCargo has cargo do something with a stub package that depends on one crate only, and then looks at its folder.
func (f *Fetcher) askCargo(ctx context.Context, what, name, requirement, verb string, look func(dir string) error) error {
	if f.Cargo == "" {
		return &NoCargoError{Crate: what}
	}
	if f.Install != nil {
		if err := f.Install(ctx); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(f.Store, "crate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	manifest := fmt.Sprintf(stub, name, requirement)
	err = errors.Join(os.WriteFile(filepath.Join(dir, "Cargo.toml"), []byte(manifest), 0o644), os.WriteFile(filepath.Join(dir, "lib.rs"), nil, 0o644))
	if err != nil {
		return err
	}
	args := []string{f.Cargo, verb, "--quiet"}
	if f.Fence != nil {
		args = f.Fence(args)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(f.Env), "CARGO_HOME="+f.CargoHome, "CARGO_TERM_COLOR=never", toolenv.CargoRoot+"="+dir,
		"CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return cargoFailure(what, string(out))
	}
	if err != nil {
		return err
	}
	return look(dir)
}

// stub is a manifest with a place for a crate's name and one for the versions that will do.
const stub = `[package]
name = "stub"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
stub_dep = { package = %q, version = %q }
[workspace]
`

func cargoFailure(what, message string) error {
	if gitHost.MatchString(message) {
		return &HostError{Host: "the crate registry", Err: errors.New(lineWith(gitHost, message))}
	}
	return fmt.Errorf("cargo fetch of %s: %s", what, lineWith(cargoError, message))
}

var cargoError = regexp.MustCompile(`^error: `)
