package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// probePackage depends on one small crate of the registry.
const probePackage = `[package]
name = "probe"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
cfg-if = "1"
`

// AskRegistry has cargo resolve a crate by the registry that it is configured for. The error is cargo's innermost cause.
func (t *Toolchain) AskRegistry(ctx context.Context, run Runner) (err error) {
	dir, err := os.MkdirTemp("", "redox-clif-registry-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	manifest := filepath.Join(dir, "Cargo.toml")
	err = errors.Join(os.WriteFile(manifest, []byte(probePackage), 0o644), os.WriteFile(filepath.Join(dir, "lib.rs"), nil, 0o644))
	if err != nil {
		return err
	}
	_, stderr, err := run(ctx, t.Cargo, "generate-lockfile", "--manifest-path", manifest)
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	return fmt.Errorf("%s: %w", strings.TrimSpace(lines[len(lines)-1]), err)
}
