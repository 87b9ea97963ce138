package toolchain

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pannous/redox-clif/internal/globdir"
)

// Sources says where a toolchain may come from. Nothing here is read from the
// environment by this package.
type Sources struct {
	Directory  string // a toolchain directory named by the user (REDOX_TOOLCHAIN); empty for none
	Rustup     string // path of the rustup program; empty when there is none
	RustupHome string // rustup's folder; empty to ask rustup
}

// ErrNotInstalled is wrapped by Find when rustup is there and the pinned
// toolchain is not: Install mends it.
var ErrNotInstalled = errors.New("the pinned toolchain is not installed")

// NoRustup means that there is neither a directory nor rustup.
type NoRustup struct{ Channel string }

// Error is two lines: what is missing and how to get it.
func (n *NoRustup) Error() string {
	return "rustup is not installed and REDOX_TOOLCHAIN names no toolchain directory; " + n.Channel + " is needed\n" +
		"install rustup: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain none"
}

// Find asks the providers in order: the directory, then rustup by the pin. It
// installs nothing.
//
// The error is a *NoRustup, wraps ErrNotInstalled, or says why the named
// directory is no toolchain: a directory that was asked for is never silently
// replaced by rustup.
func Find(ctx context.Context, from Sources, pin *Pin, run Runner) (*Toolchain, error) {
	if from.Directory != "" {
		return Open(from.Directory)
	}
	if from.Rustup == "" && from.RustupHome == "" {
		return nil, &NoRustup{Channel: pin.Toolchain.Channel}
	}
	home, err := rustupHome(ctx, from, run)
	if err != nil {
		return nil, err
	}
	dir := installedDir(home, pin.Toolchain.Channel)
	if dir == "" && from.Rustup == "" {
		return nil, &NoRustup{Channel: pin.Toolchain.Channel}
	}
	if dir == "" {
		return nil, fmt.Errorf("%w: no %s in %s", ErrNotInstalled, pin.Toolchain.Channel, filepath.Join(home, "toolchains"))
	}
	found, err := Open(dir)
	if err != nil {
		// rustup removes and remakes the folder while it works on it.
		return nil, fmt.Errorf("%w completely: %v", ErrNotInstalled, err)
	}
	found.Provider, found.Channel = FromRustup, pin.Toolchain.Channel
	return found, nil
}

func rustupHome(ctx context.Context, from Sources, run Runner) (string, error) {
	if from.RustupHome != "" {
		return from.RustupHome, nil
	}
	stdout, stderr, err := run(ctx, from.Rustup, "show", "home")
	if err != nil {
		return "", broken(from.Rustup, stderr, err)
	}
	return strings.TrimSpace(string(stdout)), nil
}

// installedDir is the folder of a channel for this machine, "" when there is
// none. rustup names it <channel>-<host>; of two C libraries gnu is preferred.
func installedDir(home, channel string) string {
	found, err := globdir.In(filepath.Join(home, "toolchains"), channel+"-"+rustArch(runtime.GOARCH)+"-*")
	if err != nil {
		return ""
	}
	best := ""
	for _, dir := range found {
		if strings.Contains(filepath.Base(dir), rustOS(runtime.GOOS)) && (best == "" || strings.HasSuffix(dir, "-gnu")) {
			best = dir
		}
	}
	return best
}

func rustArch(arch string) string {
	switch arch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return arch
}

func rustOS(system string) string {
	if system == "darwin" {
		return "apple-darwin"
	}
	return system
}
