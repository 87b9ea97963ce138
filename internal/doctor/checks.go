package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/foldcase"
	"github.com/pannous/redox-clif/internal/hostpackage"
	"github.com/pannous/redox-clif/internal/qemu"
)

// Toolchain is what is known of the Rust toolchain.
type Toolchain struct {
	Channel   string // the pin
	Name      string // "rustc 1.94.0-nightly (fcd630976)", empty when none was found
	Directory string // REDOX_TOOLCHAIN, empty for rustup
	Problem   string // why it was not found or does not fit the pin; one line
	// Lacking are parts that the pin wants, as rustup components.
	Lacking   []string
	Cranelift bool
	// CraneliftWhy is why Cranelift is not usable.
	CraneliftWhy string
}

// Settings are what the checks need to know of the checkout.
type Settings struct {
	GoVersion string // wanted, "1.26": go.mod's
	GOOS      string
	Arch      string // of the target: "aarch64"
	Cache     string // where builds keep their results
	Out       string
	// ToolFolders is where the steps of a build look for programs of the system.
	ToolFolders []string
	Toolchain   Toolchain
	Sandbox     Sandbox
	// Hosts are what fetching needs; none are asked without the user's word.
	Hosts []Host
	// Remote is the remote cache that is set; nil without one.
	Remote *Remote
	// Build is what building a toolchain needs.
	Build []Part
}

// Part is one thing that building a toolchain needs.
type Part struct {
	What   string
	Detail string // what was found, or what was found instead
	Fix    string // the command that brings it; empty when it is there
}

// Remote is a remote cache.
type Remote struct {
	Address string
	Detail  string // what it can do
	Problem string // why it is of no use; "" when it is
}

// Host is something that `mage fetch` gets things from.
type Host struct {
	What, From string
	Try        func(ctx context.Context) error
}

// Sandbox is what shuts steps off from the rest of this machine.
type Sandbox struct {
	Fence   bool   // around what fetches
	Way     string // how, "" when none works
	Problem string // why none does
	// Setting of the kernel's denies it unless it has the value Wanted; "" when none is known to.
	Setting, Wanted string
}

// gigabytes of free space that a cold build of the initfs wants in the cache, and out/ for an image.
const (
	cacheSpace = 8 << 30
	outSpace   = 1 << 30
)

// Examine makes every check.
func Examine(ctx context.Context, m Machine, s Settings) *Report {
	c := &checker{ctx: ctx, m: m, family: hostpackage.Identify(s.GOOS, m.Root())}
	c.golang(s)
	c.program("git", forInitfs, hostpackage.Git, "git")
	c.toolchain(s.Toolchain)
	c.hostCC(s.ToolFolders)
	c.qemu(s)
	c.sandbox(s)
	c.program("clang", forC, hostpackage.Clang, "clang")
	for _, p := range s.Build {
		if p.Fix == "" {
			c.ok(p.What, forToolchain, p.Detail)
		} else {
			c.lacks(p.What, forToolchain, p.Detail, p.Fix)
		}
	}
	c.names(s.Cache)
	c.space("space for the cache", s.Cache, cacheSpace)
	c.space("space for out/", s.Out, outSpace)
	c.network(s.Hosts)
	c.remote(s.Remote)
	return &c.report
}

// hostCC looks for the linker of build scripts and procedural macros where a step looks. rustc starts "cc" and no other name.
func (c *checker) hostCC(folders []string) {
	const what, purpose = "C compiler of the host", forDemo + ", " + forInitfs + " (build scripts)"
	if path := c.m.LookIn(folders, "cc"); path != "" {
		c.ok(what, purpose, path)
		return
	}
	detail := "no cc in " + strings.Join(folders, ", ")
	for _, name := range []string{"cc", "gcc", "clang"} {
		if path := c.m.Look(name); path != "" {
			detail += "; steps do not see " + path
			break
		}
	}
	c.lacks(what, purpose, detail, hostpackage.CC.Install(c.family))
}

// WantedGo is the version that the text of a go.mod names; when it names none, any will do.
func WantedGo(gomod []byte) string {
	for _, line := range strings.Split(string(gomod), "\n") {
		if version, ok := strings.CutPrefix(line, "go "); ok {
			return strings.TrimSpace(version)
		}
	}
	return "1"
}

// golang checks the go that runs the targets. This program was built by some go; the one in PATH is what
// builds the magefiles the next time.
func (c *checker) golang(s Settings) {
	p := hostpackage.Go
	path := c.m.Look("go")
	if path == "" {
		c.lacks("go", forAll, "no go in PATH", p.Install(c.family)+", or from https://go.dev/dl/")
		return
	}
	out, err := c.m.Run(c.ctx, path, "env", "GOVERSION")
	version := strings.TrimPrefix(strings.TrimSpace(out), "go")
	switch {
	case err != nil:
		c.lacks("go", forAll, path+" does not run: "+errs.FirstLine(err.Error()), p.Install(c.family))
	case older(version, s.GoVersion) && older(version, "1.21"):
		// From 1.21 on go gets the version that go.mod wants by itself.
		c.lacks("go", forAll, "go "+version+" is older than "+s.GoVersion, "get "+s.GoVersion+" or newer from https://go.dev/dl/")
	default:
		c.ok("go", forAll, version+" ("+path+")")
	}
}

func older(version, wanted string) bool {
	a, b := strings.Split(version, "."), strings.Split(wanted, ".")
	for i := range min(len(a), len(b)) {
		x, errX := strconv.Atoi(a[i])
		y, errY := strconv.Atoi(b[i])
		if errX != nil || errY != nil || x != y {
			return errX == nil && errY == nil && x < y
		}
	}
	return false
}

const rustupInstall = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain none"

// toolchain checks rustup, the pinned toolchain, its parts and Cranelift.
func (c *checker) toolchain(t Toolchain) {
	if t.Directory == "" {
		if path := c.m.Look("rustup"); path != "" {
			c.ok("rustup", forAll, path)
		} else if t.Name == "" {
			c.lacks("rustup", forAll, "no rustup in PATH", rustupInstall)
		}
	}
	const what = "Rust toolchain"
	switch {
	case t.Name == "" && t.Directory != "":
		c.lacks(what, forAll, errs.FirstLine(t.Problem), "set REDOX_TOOLCHAIN to a toolchain directory, or unset it to use "+t.Channel)
		return
	case t.Name == "":
		c.lacks(what, forAll, errs.FirstLine(t.Problem), "go tool mage toolchain:install")
		return
	case t.Problem != "" && len(t.Lacking) == 0:
		c.lacks(what, forAll, errs.FirstLine(t.Problem), "rustup toolchain uninstall "+t.Channel+" && go tool mage toolchain:install")
	default:
		c.ok(what, forAll, t.Name)
	}
	c.components(t)
	if t.Cranelift {
		c.ok("Cranelift backend", "building by Cranelift", "assembles asm for the JSON target")
		return
	}
	c.lacks("Cranelift backend", "building by Cranelift", errs.FirstLine(t.CraneliftWhy), "go tool mage toolchain:install -cranelift, or REDOX_TOOLCHAIN=DIR, or -backend='llvm:*'")
}

func (c *checker) components(t Toolchain) {
	if len(t.Lacking) == 0 {
		c.ok("Rust components", forAll, "all that the pin wants")
		return
	}
	lacking := slices.Compact(slices.Sorted(slices.Values(t.Lacking)))
	fix := "rustup component add " + strings.Join(lacking, " ") + " --toolchain " + t.Channel
	if t.Directory != "" {
		fix = "add them to " + t.Directory + ", or unset REDOX_TOOLCHAIN to use " + t.Channel
	}
	c.lacks("Rust components", forAll, "without "+strings.Join(lacking, ", "), fix)
}

// qemu checks the emulator, which the demo boots in, and the firmware, which only whole images need.
func (c *checker) qemu(s Settings) {
	what := "qemu-system-" + s.Arch
	path, err := qemu.Find(s.Arch, func(name string) (string, error) {
		if path := c.m.Look(name); path != "" {
			return path, nil
		}
		return "", fmt.Errorf("no %s in PATH", name)
	})
	if err == nil {
		c.ok(what, forDemo+", run", path)
	} else {
		c.lacksQEMU(what, forDemo+", run", err)
	}
	firmware, err := qemu.FindFirmware(c.m.Root(), s.Arch, path)
	if err == nil {
		c.ok("UEFI firmware", forImages, firmware.Code)
	} else {
		c.lacksQEMU("UEFI firmware", forImages, err)
	}
}

func (c *checker) lacksQEMU(what, purpose string, err error) {
	e := (*qemu.NotInstalledError)(nil)
	if !errors.As(err, &e) {
		c.lacks(what, purpose, errs.FirstLine(err.Error()), "")
		return
	}
	c.lacks(what, purpose, "not installed", e.Package.Install(c.family))
}

// fence says what keeps a git or cargo that fetches from writing elsewhere.
func (s Sandbox) fence() string {
	if s.Fence {
		return "what fetches: Landlock"
	}
	return "what fetches is in none"
}

func (c *checker) sandbox(s Settings) {
	const what = "sandbox"
	switch {
	case s.Sandbox.Way != "":
		c.ok(what, forSandbox, s.Sandbox.Way+"; "+s.Sandbox.fence())
	case s.GOOS == "darwin":
		c.lacks(what, forSandbox, errs.FirstLine(s.Sandbox.Problem), "sandbox-exec is part of macOS: look whether /usr/bin is in PATH")
	case s.Sandbox.Setting != "":
		c.lacks(what, forSandbox, errs.FirstLine(s.Sandbox.Problem), fmt.Sprintf("sudo sysctl -w %s=%s; docs/sandbox.md has a way for bubblewrap alone", s.Sandbox.Setting, s.Sandbox.Wanted))
	default:
		c.lacks(what, forSandbox, errs.FirstLine(s.Sandbox.Problem), hostpackage.Bubblewrap.Install(c.family))
	}
}

// names checks that the cache can hold every tree. Most have no two names that differ by case alone.
func (c *checker) names(dir string) {
	const what, purpose = "names in the cache", "sources with names that differ by case"
	folds, err := c.m.FoldsCase(dir)
	switch {
	case err != nil:
		c.lacks(what, purpose, errs.FirstLine(err.Error()), "REDOX_CACHE=DIR moves the cache to another disk")
	case folds:
		c.lacks(what, purpose, "A and a are one file in "+dir, foldcase.Remedy)
	default:
		c.ok(what, purpose, "A and a are two files in "+dir)
	}
}

func (c *checker) space(what, dir string, wanted int64) {
	free, err := c.m.Free(dir)
	gib := func(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
	switch {
	case err != nil:
		c.lacks(what, forInitfs, errs.FirstLine(err.Error()), "REDOX_CACHE=DIR moves the cache to another disk")
	case free < wanted:
		c.lacks(what, forInitfs, fmt.Sprintf("%s free in %s, a cold build wants %s", gib(free), dir, gib(wanted)),
			"go tool mage cache:gc, or REDOX_CACHE=DIR on another disk")
	default:
		c.ok(what, forInitfs, gib(free)+" free in "+dir)
	}
}

func (c *checker) remote(r *Remote) {
	switch {
	case r == nil:
	case r.Problem != "":
		c.lacks("remote cache", forRemote, r.Address+": "+errs.FirstLine(r.Problem), "REDOX_REMOTE_* or [remote] in overrides.toml (docs/remote-cache.md); builds go on without it")
	default:
		c.ok("remote cache", forRemote, r.Address+": "+r.Detail)
	}
}

func (c *checker) network(hosts []Host) {
	for _, h := range hosts {
		if err := h.Try(c.ctx); err != nil {
			c.lacks(h.What, forNetwork, h.From+": "+errs.FirstLine(err.Error()), "check the proxy settings (https_proxy), or name a [mirror] in overrides.toml")
			continue
		}
		c.ok(h.What, forNetwork, h.From)
	}
}
