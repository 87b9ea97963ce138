// Package toolchain finds, installs, identifies and measures the Rust
// toolchain a build uses.
//
// It owns the pin (toolchain/toolchain.toml), the lock of what was verified,
// the providers (a directory, rustup), the content identity of an installed
// toolchain and the probes that tell what it can do. It must not know what is
// built with it, and it reads no environment: which directory, which rustup
// and which cache folder come from the caller, and so does the Runner that
// starts programs.
//
// Facts about the layout of a toolchain directory are those of rustup's
// components of January 2026 (bin, lib, lib/rustlib/<host>/{bin,lib,
// codegen-backends}, lib/rustlib/src/rust/library) and of a rustc built from
// source, whose LLVM tools are links into the distribution's LLVM.
package toolchain

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Runner runs one program to its end and returns what it printed. An exit code
// other than 0 is an error.
type Runner func(ctx context.Context, argv ...string) (stdout, stderr []byte, err error)

// Provider is where a toolchain came from.
type Provider string

// The providers, in the order they are asked.
const (
	FromDirectory Provider = "directory" // named by the user
	FromRustup    Provider = "rustup"    // installed by the pin
)

// Toolchain is an installed toolchain: files found, nothing run yet.
type Toolchain struct {
	Provider Provider `json:"provider"`
	Dir      string   `json:"dir"`     // absolute
	Channel  string   `json:"channel"` // the pin's, for FromRustup; else empty
	Host     string   `json:"host"`    // "x86_64-unknown-linux-gnu"

	Rustc   string `json:"rustc"`    // absolute paths
	Cargo   string `json:"cargo"`    //
	Library string `json:"rust-src"` // std's sources, .../rust/library; empty when absent

	// Tools are the programs beside rust-lld by name, as absolute paths:
	// "rust-lld", "llvm-nm", "llvm-objcopy", ...
	Tools map[string]string `json:"tools"`
}

// Tool is the path of a tool, or an error that says how to get it.
func (t *Toolchain) Tool(name string) (string, error) {
	if path := t.Tools[name]; path != "" {
		return path, nil
	}
	return "", &MissingPart{Dir: t.Dir, Part: name, Component: componentOf(name)}
}

// Lld is the path of rust-lld, empty when it is not there.
func (t *Toolchain) Lld() string { return t.Tools["rust-lld"] }

// MissingPart is something a toolchain directory lacks.
type MissingPart struct {
	Dir       string
	Part      string // "llvm-nm", "rust-src"
	Component string // the rustup component that brings it
}

// Error says what is missing and what brings it.
func (m *MissingPart) Error() string {
	return fmt.Sprintf("the toolchain in %s has no %s; rustup's component %s brings it", m.Dir, m.Part, m.Component)
}

func componentOf(tool string) string {
	switch {
	case tool == "rust-src":
		return "rust-src"
	case strings.HasPrefix(tool, "llvm-"):
		return "llvm-tools"
	}
	return "rustc"
}

// Version is what rustc and cargo say of themselves.
type Version struct {
	Release    string `json:"release" toml:"release"`         // "1.94.0-nightly"
	Commit     string `json:"commit" toml:"commit"`           // full hash; "unknown" for a rustc built without git
	CommitDate string `json:"commit-date" toml:"commit-date"` // "2026-01-01" or "unknown"
	LLVM       string `json:"llvm" toml:"llvm"`               // "21.1.8"; empty without LLVM
	Host       string `json:"host" toml:"host"`
	Cargo      string `json:"cargo" toml:"cargo"` // "1.94.0-nightly (b54051b15 2025-12-30)"
}

// Name is what rustc calls itself: "rustc 1.94.0-nightly (fcd630976)".
func (v Version) Name() string {
	return fmt.Sprintf("rustc %s (%s)", v.Release, v.Commit[:min(9, len(v.Commit))])
}

// AskVersion runs rustc -vV and cargo -V.
func (t *Toolchain) AskVersion(ctx context.Context, run Runner) (Version, error) {
	verbose, stderr, err := run(ctx, t.Rustc, "-vV")
	if err != nil {
		return Version{}, broken(t.Rustc, stderr, err)
	}
	version := parseVersion(verbose)
	if version.Release == "" || version.Host == "" {
		return Version{}, fmt.Errorf("%s -vV printed no release and host: %q", t.Rustc, verbose)
	}
	cargo, stderr, err := run(ctx, t.Cargo, "-V")
	if err != nil {
		return Version{}, broken(t.Cargo, stderr, err)
	}
	version.Cargo = strings.TrimPrefix(strings.TrimSpace(string(cargo)), "cargo ")
	return version, nil
}

func broken(program string, stderr []byte, err error) error {
	if line := firstError(stderr); line != "" {
		return fmt.Errorf("%s does not run: %s: %w", program, line, err)
	}
	return fmt.Errorf("%s does not run: %w", program, err)
}

func parseVersion(verbose []byte) Version {
	values := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(verbose)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ": "); ok {
			values[key] = strings.TrimSpace(value)
		}
	}
	return Version{
		Release: values["release"], Commit: values["commit-hash"], CommitDate: values["commit-date"],
		LLVM: values["LLVM version"], Host: values["host"],
	}
}

// Verify holds an installed toolchain against the pin; the error lists
// everything that does not fit. The expected release and commit bind only what
// rustup installed by the pin: a directory is the user's own choice.
func (p *Pin) Verify(t *Toolchain, version Version) error {
	var wrong *multierror.Error
	for _, tool := range p.Requires.Tools {
		if t.Tools[tool] == "" {
			wrong = multierror.Append(wrong, &MissingPart{Dir: t.Dir, Part: tool, Component: componentOf(tool)})
		}
	}
	if slices.Contains(p.Toolchain.Components, "rust-src") && t.Library == "" {
		wrong = multierror.Append(wrong, &MissingPart{Dir: t.Dir, Part: "rust-src", Component: "rust-src"})
	}
	if olderRelease(version.Release, p.Requires.Release) {
		wrong = multierror.Append(wrong, fmt.Errorf("rustc %s in %s is older than %s, the oldest that will do", version.Release, t.Dir, p.Requires.Release))
	}
	if t.Provider == FromRustup {
		for _, fact := range []struct{ name, want, got string }{
			{"release", p.Expected.Release, version.Release}, {"commit", p.Expected.Commit, version.Commit},
		} {
			if fact.want != "" && fact.want != fact.got {
				wrong = multierror.Append(wrong, fmt.Errorf("%s has rustc %s %s, the pin expects %s", p.Toolchain.Channel, fact.name, fact.got, fact.want))
			}
		}
	}
	return wrong.ErrorOrNil()
}

// Open finds the parts of a toolchain in a directory without running anything.
// The error says what makes the directory no toolchain.
func Open(dir string) (*Toolchain, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	t := &Toolchain{Provider: FromDirectory, Dir: dir, Tools: map[string]string{}}
	for name, path := range map[string]*string{"rustc": &t.Rustc, "cargo": &t.Cargo} {
		*path = filepath.Join(dir, "bin", name)
		if info, err := os.Stat(*path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return nil, fmt.Errorf("%s is no toolchain directory: no program bin/%s in it", dir, name)
		}
	}
	if t.Host, err = hostOf(dir); err != nil {
		return nil, err
	}
	if library := filepath.Join(dir, "lib", "rustlib", "src", "rust", "library"); isDir(library) {
		t.Library = library
	}
	bin := filepath.Join(dir, "lib", "rustlib", t.Host, "bin")
	entries, err := os.ReadDir(bin)
	if err != nil {
		return t, nil // no tools at all is for Verify to report, by name
	}
	for _, entry := range entries {
		path := filepath.Join(bin, entry.Name())
		// A link into an LLVM that is no longer there counts as absent.
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			t.Tools[entry.Name()] = path
		}
	}
	return t, nil
}

// hostOf finds the triple whose standard library is installed: that of the
// host is the one that comes with a rustlib/<host>/bin or, failing that, the
// only one.
func hostOf(dir string) (string, error) {
	var withLib, withBin []string
	rustlib := filepath.Join(dir, "lib", "rustlib")
	entries, _ := os.ReadDir(rustlib)
	for _, entry := range entries {
		if strings.Count(entry.Name(), "-") < 2 || !isDir(filepath.Join(rustlib, entry.Name(), "lib")) {
			continue
		}
		withLib = append(withLib, entry.Name())
		if isDir(filepath.Join(rustlib, entry.Name(), "bin")) {
			withBin = append(withBin, entry.Name())
		}
	}
	switch {
	case len(withBin) == 1:
		return withBin[0], nil
	case len(withLib) == 1:
		return withLib[0], nil
	case len(withLib) == 0:
		return "", fmt.Errorf("%s is no toolchain directory: no standard library of a host in lib/rustlib", dir)
	}
	return "", fmt.Errorf("%s holds the standard libraries of %s, and which is the host's cannot be told", dir, strings.Join(withLib, ", "))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
