package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/doctor"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// Doctor says what is missing on this machine. With network it also asks the places that `mage fetch` gets
// things from. The error counts what demo and initfs lack.
func (s *Session) Doctor(ctx context.Context, network, asJSON bool) error {
	settings, err := s.doctorSettings(ctx, network)
	if err != nil {
		return err
	}
	r := doctor.Examine(ctx, s.host(), settings)
	if err := ctx.Err(); err != nil {
		return err
	}
	if asJSON {
		err = s.printJSON(r)
	} else {
		err = s.printDoctor(r)
	}
	if n := r.Missing(); err == nil && n > 0 {
		err = fmt.Errorf("%d of the things that demo or initfs need are missing", n)
	}
	return err
}

func (s *Session) printDoctor(r *doctor.Report) error {
	rows := [][]string{{"STATE", "WHAT", "NEEDED FOR", "FOUND"}}
	for _, l := range r.Lines {
		rows = append(rows, []string{string(l.State), l.What, l.For, l.Detail})
	}
	if err := ui.Table(s.Streams.Out, rows); err != nil {
		return err
	}
	for _, l := range r.Lines {
		if l.Fix != "" {
			fmt.Fprintf(s.Streams.Out, "%s: %s\n", l.What, l.Fix)
		}
	}
	return nil
}

func (s *Session) doctorSettings(ctx context.Context, network bool) (doctor.Settings, error) {
	in, err := s.lookAtToolchain(ctx)
	if err != nil {
		return doctor.Settings{}, err
	}
	arch, _, _ := strings.Cut(s.Config.Target, "-")
	settings := doctor.Settings{
		GoVersion: s.wantedGo(), GOOS: runtime.GOOS, Arch: arch, Cache: s.Config.Cache, Out: s.Config.Out(), Toolchain: s.doctorToolchain(in),
		Build: s.buildParts(ctx),
	}
	if network {
		settings.Hosts = s.hosts(in)
	}
	return settings, nil
}

// wantedGo is the version in go.mod; without one any will do.
func (s *Session) wantedGo() string {
	text, _ := os.ReadFile(filepath.Join(s.Config.Root, "go.mod"))
	for _, line := range strings.Split(string(text), "\n") {
		if version, ok := strings.CutPrefix(line, "go "); ok {
			return strings.TrimSpace(version)
		}
	}
	return "1"
}

func (s *Session) doctorToolchain(in *installed) doctor.Toolchain {
	t := doctor.Toolchain{Channel: in.pin.Toolchain.Channel, Directory: s.Config.Toolchain}
	if in.problem != nil {
		t.Problem = in.problem.Error()
	}
	if in.version == nil {
		return t
	}
	t.Name = "rustc " + in.version.Release + " in " + in.toolchain.Dir
	var problems *multierror.Error
	errors.As(in.pin.Verify(in.toolchain, *in.version), &problems)
	for _, err := range problems.WrappedErrors() {
		if part := (*toolchain.MissingPart)(nil); errors.As(err, &part) {
			t.Lacking = append(t.Lacking, part.Component)
			continue
		}
		t.Problem = err.Error()
	}
	t.CraneliftWhy = "it was not probed: " + t.Problem
	if in.caps != nil {
		can := in.caps.Can(toolchain.Cranelift, toolchain.Asm)
		t.Cranelift, t.CraneliftWhy = can.OK, can.Detail
	}
	return t
}

// hosts are the repositories of the recipes, through the user's mirrors, and the crate registry as cargo
// is configured here.
func (s *Session) hosts(in *installed) []doctor.Host {
	git := drift.Git{Program: "git", Env: append(s.toolEnv(), s.Config.NetworkEnv...)}
	var hosts []doctor.Host
	for _, name := range s.Recipes.Names() {
		url := s.Recipes[name].WithProfile(s.Config.Profile).Source.Git
		if url == "" {
			continue
		}
		from := s.Overrides.Mirror(url)
		hosts = append(hosts, doctor.Host{What: "source of " + name, From: from, Try: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			_, err := git.Head(ctx, from)
			return err
		}})
	}
	if in.toolchain != nil {
		hosts = append(hosts, doctor.Host{What: "crate registry", From: "cargo's own settings", Try: func(ctx context.Context) error {
			return s.tryRegistry(ctx, in.toolchain.Cargo)
		}})
	}
	return hosts
}

// tryRegistry has cargo resolve one small package in a folder of its own.
func (s *Session) tryRegistry(ctx context.Context, cargo string) (err error) {
	dir, err := os.MkdirTemp("", "redox-clif-doctor-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	home, err := s.cargoHome()
	if err != nil {
		return err
	}
	manifest := "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[dependencies]\ncfg-if = \"1\"\n"
	for name, text := range map[string]string{"Cargo.toml": manifest, "lib.rs": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	env := append([]string{"PATH=" + filepath.Dir(cargo) + ":" + s.Config.Path, "HOME=" + s.Config.Home, "CARGO_HOME=" + home}, s.Config.NetworkEnv...)
	_, stderr, err := toolchain.Exec(env)(ctx, cargo, "generate-lockfile", "--manifest-path", filepath.Join(dir, "Cargo.toml"))
	if err == nil {
		return nil
	}
	// The last line of cargo's chain of causes is the cause.
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	return fmt.Errorf("%s: %w", strings.TrimSpace(lines[len(lines)-1]), err)
}

// hostMachine is this machine, as the doctor and builds of toolchains ask it.
type hostMachine struct{ s *Session }

func (s *Session) host() hostMachine { return hostMachine{s} }

func (m hostMachine) Look(program string) string { return m.s.lookPath(program) }

func (m hostMachine) Root() fs.FS { return os.DirFS("/") }

func (m hostMachine) Run(ctx context.Context, argv ...string) (string, error) {
	stdout, stderr, err := toolchain.Exec(m.s.toolEnv())(ctx, argv...)
	if err != nil && len(stderr) > 0 {
		err = errors.New(errs.FirstLine(string(stderr)))
	}
	return string(stdout), err
}

// Free asks the nearest folder above dir that is there.
func (m hostMachine) Free(dir string) (int64, error) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize), nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
		}
		dir = parent
	}
}
