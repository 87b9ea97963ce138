package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/doctor"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/toolenv"
	"github.com/pannous/redox-clif/internal/ui"
)

// Doctor says what is missing on this machine. With network it also asks the places that `mage fetch` gets
// things from. The error counts what demo and initfs lack.
func Doctor(ctx context.Context, s *session.Session, network, asJSON bool) error {
	settings, err := doctorSettings(ctx, s, network)
	if err != nil {
		return err
	}
	r := doctor.Examine(ctx, s.Host(), settings)
	if err := ctx.Err(); err != nil {
		return err
	}
	if asJSON {
		err = ui.WriteJSON(s.Streams.Out, "doctor", r)
	} else {
		err = printDoctor(s.Streams.Out, r)
	}
	if n := r.Missing(); err == nil && n > 0 {
		err = fmt.Errorf("%d of the things that demo or initfs need are missing", n)
	}
	return err
}

func printDoctor(out io.Writer, r *doctor.Report) error {
	rows := [][]string{{"STATE", "WHAT", "NEEDED FOR", "FOUND"}}
	for _, l := range r.Lines {
		rows = append(rows, []string{string(l.State), l.What, l.For, l.Detail})
	}
	if err := ui.Table(out, rows); err != nil {
		return err
	}
	for _, l := range r.Lines {
		if l.Fix != "" {
			fmt.Fprintf(out, "%s: %s\n", l.What, l.Fix)
		}
	}
	return nil
}

func doctorSettings(ctx context.Context, s *session.Session, network bool) (doctor.Settings, error) {
	in, err := s.LookAtToolchain(ctx)
	if err != nil {
		return doctor.Settings{}, err
	}
	arch, _, _ := strings.Cut(s.Config.Target, "-")
	gomod, _ := os.ReadFile(filepath.Join(s.Config.Root, "go.mod"))
	settings := doctor.Settings{
		GoVersion: doctor.WantedGo(gomod), GOOS: runtime.GOOS, Arch: arch, Cache: s.Config.Cache, Out: s.Config.Out(),
		ToolFolders: toolenv.SystemFolders(), Toolchain: doctorToolchain(s, in),
		Build: buildParts(ctx, s),
	}
	if settings.Sandbox, err = doctorSandbox(ctx, s); err != nil {
		return settings, err
	}
	if settings.Remote, err = remoteCache(ctx, s); err != nil {
		return settings, err
	}
	if network {
		if settings.Hosts, err = hosts(s, in); err != nil {
			return settings, err
		}
	}
	return settings, nil
}

func doctorSandbox(ctx context.Context, s *session.Session) (doctor.Sandbox, error) {
	state, err := s.ProbeSandbox().Probe(ctx)
	if err != nil || state.Way != "" {
		return doctor.Sandbox{Way: state.Way, Fence: state.Fence}, err
	}
	p := state.Problem
	return doctor.Sandbox{Problem: strings.Join(p.Tried, "; "), Setting: p.Cause.Setting, Wanted: p.Cause.Want}, nil
}

func doctorToolchain(s *session.Session, in *toolchain.Installed) doctor.Toolchain {
	t := doctor.Toolchain{Channel: in.Pin.Toolchain.Channel, Directory: s.Config.Toolchain}
	if in.Problem != nil {
		t.Problem = in.Problem.Error()
	}
	if in.Version == nil {
		return t
	}
	t.Name = "rustc " + in.Version.Release + " in " + in.Toolchain.Dir
	var problems *multierror.Error
	errors.As(in.Pin.Verify(in.Toolchain, *in.Version), &problems)
	for _, err := range problems.WrappedErrors() {
		if part := (*toolchain.MissingPart)(nil); errors.As(err, &part) {
			t.Lacking = append(t.Lacking, part.Component)
			continue
		}
		t.Problem = err.Error()
	}
	t.CraneliftWhy = "it was not probed: " + t.Problem
	if in.Caps != nil {
		can := in.Caps.Can(toolchain.Cranelift, toolchain.Asm)
		t.Cranelift, t.CraneliftWhy = can.OK, can.Detail
	}
	return t
}

// hosts are the repositories of the recipes, through the user's mirrors, and the crate registry as cargo
// is configured here.
func hosts(s *session.Session, in *toolchain.Installed) ([]doctor.Host, error) {
	recipes, err := s.Recipes()
	if err != nil {
		return nil, err
	}
	overrides, err := s.Overrides()
	if err != nil {
		return nil, err
	}
	git := s.Git()
	var hosts []doctor.Host
	for _, name := range recipes.Names() {
		url := recipes[name].Source.Git
		if url == "" {
			continue
		}
		from := overrides.Mirror(url)
		hosts = append(hosts, doctor.Host{What: "source of " + name, From: from, Try: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			_, err := drift.Head(ctx, git, from)
			return err
		}})
	}
	if in.Toolchain != nil {
		hosts = append(hosts, doctor.Host{What: "crate registry", From: "cargo's own settings", Try: func(ctx context.Context) error {
			return askRegistry(ctx, s, in.Toolchain)
		}})
	}
	return hosts, nil
}

// askRegistry has cargo resolve a crate as a build would.
func askRegistry(ctx context.Context, s *session.Session, t *toolchain.Toolchain) error {
	home, err := s.CargoHome()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	env := append([]string{"PATH=" + filepath.Dir(t.Cargo) + ":" + s.Config.Path, "HOME=" + s.Config.Home, "CARGO_HOME=" + home}, s.Config.NetworkEnv...)
	return t.AskRegistry(ctx, toolchain.Exec(env))
}

// buildParts is what building a toolchain needs, for the doctor.
func buildParts(ctx context.Context, s *session.Session) []doctor.Part {
	names, err := rustbuild.Names(os.DirFS(s.Config.ToolchainDir()))
	if err != nil || len(names) == 0 {
		return nil
	}
	r, err := rustbuild.Load(os.DirFS(s.Config.ToolchainDir()), names[len(names)-1], "")
	if err != nil {
		return []doctor.Part{{What: "toolchain/builds", Detail: errs.FirstLine(err.Error()), Fix: "mend the file"}}
	}
	var parts []doctor.Part
	lacking := func(err error) {
		all := multierror.Append(nil, err)
		for _, one := range all.Errors {
			if l, ok := one.(*rustbuild.Lacking); ok {
				parts = append(parts, doctor.Part{What: l.What, Detail: orElse(l.Why, "not found"), Fix: l.Fix})
			}
		}
	}
	m := s.BuildMachine()
	if !r.OwnLLVM() {
		if llvm, err := session.InstalledLLVM(ctx, m, r); err != nil {
			lacking(err)
		} else {
			parts = append(parts, doctor.Part{What: "LLVM with headers", Detail: llvm.Version + " (" + llvm.Config + ")"})
		}
	}
	if p, err := rustbuild.FindPrograms(ctx, m, r.OwnLLVM()); err != nil {
		lacking(err)
	} else {
		parts = append(parts, doctor.Part{What: "Python 3, C++ compiler", Detail: p.Python + ", " + p.CXX})
	}
	return parts
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// remoteCache asks the remote cache that is set what it can do; nil without one.
func remoteCache(ctx context.Context, s *session.Session) (*doctor.Remote, error) {
	set, err := s.RemoteSettings()
	if err != nil || set.Cache == "" || s.Config.Offline {
		return nil, err
	}
	r := &doctor.Remote{Address: set.Cache}
	client, err := s.Remote(func(string) {})
	if err != nil {
		r.Problem = err.Error()
		return r, nil
	}
	defer client.Close(ctx)
	can, err := client.Check(ctx)
	if err != nil {
		r.Problem = err.Error()
		return r, nil
	}
	r.Detail = "API " + can.API
	if set.InstanceName != "" {
		r.Detail += ", instance " + set.InstanceName
	}
	if set.Executor != "" {
		runs, err := client.Runs()
		switch {
		case err != nil:
			r.Problem = set.Executor + ": " + err.Error()
			return r, nil
		case !runs:
			r.Problem = set.Executor + " runs no steps; they run here"
			return r, nil
		}
		r.Detail += ", workers run steps"
	}
	switch {
	case set.Upload && !can.Update:
		r.Problem = "it takes no results, and REDOX_REMOTE_UPLOAD_LOCAL_RESULTS asks for uploads"
	case set.Upload:
		r.Detail += ", results are uploaded"
	default:
		r.Detail += ", results are only read"
	}
	return r, nil
}
