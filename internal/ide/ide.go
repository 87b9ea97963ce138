// Package ide writes down for rust-analyzer, and for editors that start it, how a source is compiled here.
//
// It owns the files in the folder of a project: a home for cargo with its configuration, a shell file with the environment, a workspace of VS Code. It
// must not know recipes, nor how a standard library comes to be.
//
// rust-analyzer asks cargo for its configuration, and takes the target only from its files (cargo config get), not from the environment: hence the
// home. Nothing is written into the source.
package ide

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/process"
)

// Project is a source with what it is compiled by. All paths are absolute.
type Project struct {
	Name   string
	Dir    string // of the files that are written
	Source string // the folder with the workspace's Cargo.toml
	// Toolchain has bin/cargo and bin/rustc, and the sources of the standard library.
	Toolchain string
	Spec      string   // the target's JSON
	Std       string   // a sysroot with the target's standard library, made by that rustc
	Flags     []string // of rustc, for the target
	JSONSpec  bool     // this cargo wants -Zjson-target-spec
	Features  []string
	NoDefault bool // of the packages' features the default ones are off
	// CargoHome is the user's, whose downloads are used; Download are the settings by which more is downloaded, as TOML.
	CargoHome, Download string
	// Mirrors has for the beginning of a URL what git takes instead.
	Mirrors map[string]string
}

// Files are what Write has made, for people.
type Files struct {
	Env       string // a shell file
	Workspace string // of VS Code
}

// Write makes the files.
func (p *Project) Write() (Files, error) {
	home := filepath.Join(p.Dir, "cargo")
	f := Files{Env: filepath.Join(p.Dir, "env.sh"), Workspace: filepath.Join(p.Dir, p.Name+".code-workspace")}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return f, err
	}
	workspace, err := p.workspace()
	if err != nil {
		return f, err
	}
	return f, errors.Join(
		link(filepath.Join(p.CargoHome, "registry"), filepath.Join(home, "registry")),
		link(filepath.Join(p.CargoHome, "git"), filepath.Join(home, "git")),
		atomicfile.Write(filepath.Join(home, "config.toml"), []byte(p.config()), 0o644),
		atomicfile.Write(f.Env, []byte(p.shell()), 0o644),
		atomicfile.Write(f.Workspace, workspace, 0o644))
}

// link makes a link to a folder, which is made where it is not there.
func link(to, at string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if was, err := os.Readlink(at); err == nil && was == to {
		return nil
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(to, at)
}

// config is cargo's configuration: the user's for downloads, and ours.
func (p *Project) config() string {
	var b strings.Builder
	b.WriteString("# Written by `mage ide`.\n" + p.Download)
	fmt.Fprintf(&b, "\n[build]\ntarget = %s\ntarget-dir = %s\nrustflags = [", quote(p.Spec), quote(filepath.Join(p.Dir, "target")))
	for i, flag := range append(slices.Clone(p.Flags), "--sysroot="+p.Std) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(flag))
	}
	b.WriteString("]\n")
	if p.JSONSpec {
		b.WriteString("\n[unstable]\njson-target-spec = true\n")
	}
	return b.String()
}

// quote is a basic string of TOML, whose escapes are those of JSON.
func quote(s string) string {
	text, _ := json.Marshal(s) // a string always can be
	return string(text)
}

// env are the variables under which cargo, rustc and rust-analyzer find all this; PATH is that of whoever reads it.
func (p *Project) env() map[string]string {
	env := map[string]string{
		"CARGO_HOME":       filepath.Join(p.Dir, "cargo"),
		"RUSTUP_TOOLCHAIN": p.Toolchain,
		// A recipe's sources are written for a nightly, and the toolchain need not call itself one.
		"RUSTC_BOOTSTRAP": "1",
	}
	for i, from := range slices.Sorted(maps.Keys(p.Mirrors)) {
		env[fmt.Sprintf("GIT_CONFIG_KEY_%d", i)] = "url." + p.Mirrors[from] + ".insteadOf"
		env[fmt.Sprintf("GIT_CONFIG_VALUE_%d", i)] = from
		env["GIT_CONFIG_COUNT"] = fmt.Sprint(i + 1)
		env["CARGO_NET_GIT_FETCH_WITH_CLI"] = "true" // cargo's own git knows no insteadOf
	}
	return env
}

func (p *Project) shell() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by `mage ide`: what is started in a shell that has read this takes %s for what it is.\n", p.Source)
	env := p.env()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, process.Quote([]string{env[name]}))
	}
	fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", process.Quote([]string{filepath.Join(p.Toolchain, "bin")}))
	return b.String()
}

// workspace is a VS Code workspace with the source and the settings of its extension rust-analyzer.
func (p *Project) workspace() ([]byte, error) {
	env := p.env()
	settings := map[string]any{
		"rust-analyzer.server.extraEnv":         env,
		"rust-analyzer.cargo.extraEnv":          env,
		"rust-analyzer.linkedProjects":          []string{filepath.Join(p.Source, "Cargo.toml")},
		"rust-analyzer.cargo.allTargets":        false, // tests want a library that the target has not
		"rust-analyzer.cargo.noDefaultFeatures": p.NoDefault,
		"rust-analyzer.cargo.features":          append([]string{}, p.Features...),
	}
	text, err := json.MarshalIndent(map[string]any{"folders": []map[string]string{{"path": p.Source}}, "settings": settings}, "", "  ")
	return append(text, '\n'), err
}
