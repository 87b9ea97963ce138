package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cargoconfig"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Look finds a program in the user's PATH, as exec.LookPath does.
func (s *Session) Look(name string) (string, error) {
	if path := s.LookPath(name); path != "" {
		return path, nil
	}
	return "", exec.ErrNotFound
}

// Toolchain is a toolchain that was found, verified, identified and measured.
type Toolchain struct {
	Pin *toolchain.Pin
	*toolchain.Toolchain
	Identity *toolchain.Identity
	Caps     *toolchain.Capabilities
	// Absent says that it is known from the lock alone: it has to be installed before one of its tools runs.
	Absent bool
}

// Tools is the toolchain in the form the build wants. The pinned one need not be installed: what runs a tool first installs it.
func (s *Session) Tools(ctx context.Context) (builder.Tools, error) {
	t, err := s.toolchainOrItsLock(ctx)
	if err != nil {
		return builder.Tools{}, err
	}
	// A dry run writes nothing, generated files included.
	if !s.Config.DryRun {
		if err := s.writeSpecs(t); err != nil {
			return builder.Tools{}, err
		}
	}
	problem := t.craneliftProblem()
	tools := builder.Tools{
		Name: t.Name(), Identity: t.Caps.Digest(), BinDir: filepath.Dir(t.Rustc), RustSrc: filepath.Dir(t.Library),
		Rustc: t.Rustc, Cargo: t.Cargo, LLD: t.Lld(), Archive: t.Tools["llvm-ar"], Compiler: t.Caps.Compiler(),
		RustcUnstable: t.Caps.RustcUnstableForJSON, CargoJSON: t.Caps.CargoJSONTargetSpec,
		Cranelift: problem == "", CraneliftProblem: problem,
		CraneliftLacks: t.craneliftLacks(), Clang: s.clang(ctx),
	}
	if t.Absent {
		var once sync.Once
		var failed error
		tools.Install = func(ctx context.Context) error {
			once.Do(func() { failed = s.installLocked(ctx, tools.Identity) })
			return failed
		}
	}
	return tools, nil
}

// toolchainOrItsLock is the toolchain, or what the lock says of the pinned one where that is not installed.
func (s *Session) toolchainOrItsLock(ctx context.Context) (*Toolchain, error) {
	pin, from, err := s.pinAndSources()
	if err != nil {
		return nil, err
	}
	run := toolchain.Exec(s.ToolEnv())
	found, err := toolchain.Find(ctx, from, pin, run)
	if err == nil {
		return s.measure(ctx, pin, found, run)
	}
	if !errors.Is(err, toolchain.ErrNotInstalled) && !errors.As(err, new(*toolchain.NoRustup)) {
		return nil, err
	}
	lock, err := toolchain.LoadLock(s.Config.PinLock())
	if err != nil {
		return nil, err
	}
	spec, err := targetspec.Load(os.DirFS(s.Config.Targets()), s.Config.Target)
	if err != nil {
		return nil, err
	}
	locked, caps := lock.Pinned(ctx, from, pin, spec, run)
	if locked == nil {
		return s.Toolchain(ctx)
	}
	return &Toolchain{Pin: pin, Toolchain: locked, Caps: caps, Absent: true}, nil
}

// installLocked installs the pinned toolchain, which has to be the one that the lock promised: identity is that of Tools.
func (s *Session) installLocked(ctx context.Context, identity string) error {
	t, err := s.Toolchain(ctx)
	if err != nil {
		return err
	}
	if t.Caps.Digest() != identity {
		return fmt.Errorf("the toolchain in %s can do other things than %s says; `mage toolchain:lock` writes down what it is", t.Dir, s.Relative(s.Config.PinLock()))
	}
	return nil
}

func (s *Session) pinAndSources() (*toolchain.Pin, toolchain.Sources, error) {
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return nil, toolchain.Sources{}, err
	}
	from, err := s.ToolchainSources()
	return pin, from, err
}

// craneliftLacks is what only some components need and this Cranelift cannot do.
func (t *Toolchain) craneliftLacks() map[recipe.Need]string {
	lacks := map[recipe.Need]string{}
	for _, need := range recipe.Needs() {
		if r := t.Caps.Can(toolchain.Cranelift, toolchain.Feature(need)); !r.OK {
			lacks[need] = r.Detail
		}
	}
	return lacks
}

// craneliftProblem says why the Cranelift backend cannot build user space, "" when it can: the standard
// library alone has assembly and f128 comparisons in it.
func (t *Toolchain) craneliftProblem() string {
	for _, feature := range []toolchain.Feature{toolchain.Present, toolchain.Asm, toolchain.F128} {
		if r := t.Caps.Can(toolchain.Cranelift, feature); !r.OK {
			return fmt.Sprintf("%s: %s", feature, r.Detail)
		}
	}
	return ""
}

// Name is what rustc calls itself.
func (t *Toolchain) Name() string { return t.Caps.Version.Name() }

// Toolchain finds the toolchain, installs the pinned one by rustup when it is missing, and makes
// sure that it is what the pin and its lock say.
func (s *Session) Toolchain(ctx context.Context) (*Toolchain, error) {
	pin, from, err := s.pinAndSources()
	if err != nil {
		return nil, err
	}
	run := toolchain.Exec(s.ToolEnv())
	found, err := toolchain.Find(ctx, from, pin, run)
	if errors.Is(err, toolchain.ErrNotInstalled) {
		if err := s.install(ctx, from.Rustup, pin); err != nil {
			return nil, err
		}
		found, err = toolchain.Find(ctx, from, pin, run)
	}
	if errors.Is(err, toolchain.ErrNotInstalled) {
		// rustup believes that it is.
		return nil, fmt.Errorf("%w\n%s", err, toolchain.Reinstall(pin.Toolchain.Channel))
	}
	if err != nil {
		return nil, err
	}
	return s.measure(ctx, pin, found, run)
}

func (s *Session) measure(ctx context.Context, pin *toolchain.Pin, found *toolchain.Toolchain, run toolchain.Runner) (*Toolchain, error) {
	cache := s.Config.Toolchains()
	identity, err := found.Identify(ctx, cache)
	if err != nil {
		return nil, err
	}
	s.looked.Content(identity.Looked()...)
	lock, err := toolchain.LoadLock(s.Config.PinLock())
	if err != nil {
		return nil, err
	}
	if err := lock.Check(ctx, found, identity); err != nil {
		return nil, err
	}
	spec, err := targetspec.Load(os.DirFS(s.Config.Targets()), s.Config.Target)
	if err != nil {
		return nil, err
	}
	caps, err := found.Probe(ctx, run, identity, spec, cache)
	if err != nil {
		return nil, err
	}
	if err := pin.Verify(found, caps.Version); err != nil {
		return nil, err
	}
	return &Toolchain{Pin: pin, Toolchain: found, Identity: identity, Caps: caps}, nil
}

// install has rustup install the pin, which takes a while and uses the network.
func (s *Session) install(ctx context.Context, rustup string, pin *toolchain.Pin) error {
	if s.Config.Offline {
		return fmt.Errorf("%s is not installed and -offline forbids to install it: run `mage fetch` without -offline first", pin.Toolchain.Channel)
	}
	s.Say("installing %s by rustup (once)", pin.Toolchain.Channel)
	env := append(s.ToolEnv(), s.Config.NetworkEnv...)
	return toolchain.Install(ctx, rustup, pin, false, toolchain.ExecLines(env), func(line string) { s.Say("  %s", line) })
}

// ToolEnv is what rustc, cargo and rustup get when they are asked about themselves.
func (s *Session) ToolEnv() []string {
	return []string{"PATH=" + s.Config.Path, "HOME=" + s.Config.Home, "CARGO_HOME=" + s.Config.CargoHome, "RUSTUP_HOME=" + s.Config.RustupHome, "LC_ALL=C"}
}

// LookPath finds a program in the user's PATH, "" when it is not there.
func (s *Session) LookPath(name string) string {
	return s.lookIn(filepath.SplitList(s.Config.Path), name)
}

// lookIn finds a program in the first of the folders that has it, "" when none has.
func (s *Session) lookIn(folders []string, name string) string {
	for _, dir := range folders {
		path := filepath.Join(dir, name)
		s.looked.Content(absolute(dir), absolute(path))
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	return ""
}

// absolute is a path as seen from anywhere; "" is the folder that this process runs in.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// CargoHome makes the build's own CARGO_HOME: the user's download settings and nothing else.
func (s *Session) CargoHome() (string, error) {
	home := s.Config.Crates()
	if err := git.Bound(home); err != nil {
		return "", err
	}
	settings, files, err := cargoconfig.Download(s.Config.CargoHome)
	if err != nil {
		return "", err
	}
	s.looked.Content(files...)
	return home, writeSettings(filepath.Join(home, "config.toml"), settings)
}

func writeSettings(path, settings string) error {
	text := "# Made by redox-clif from the download settings of the user's own cargo configuration.\n" + settings
	if old, err := cachefile.Read(path); err == nil && string(old) == text {
		return nil
	}
	return renameio.WriteFile(path, []byte(text), 0o644)
}
