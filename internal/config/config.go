// Package config is the one place that reads the environment and decides the defaults.
//
// It owns the REDOX_* variables, the folders of a checkout and the order
// flag > environment > default. It must not know recipes, actions or tools; everything below
// gets its settings from a [Config] and never looks at the environment itself.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/config/environ"
	"github.com/pannous/redox-clif/internal/errs"
)

// DefaultTarget is the user-space target that is built when nothing else is asked for.
const DefaultTarget = environ.DefaultTarget

// Config is the settings of one run.
type Config struct {
	// Root is the checkout.
	Root string
	// Cache is the folder of the content store, the action cache and the tools' own state.
	Cache string
	// OutDir is the folder of a target's results; "" means below out/ in the checkout.
	OutDir string
	// Target is the user-space target's name.
	Target string
	// Set names the release set; "" is the active one of the checkout, or one without a name.
	Set string
	// SetPin and SetPinLock are the files of the set's pin and its lock; "" are the active set's.
	SetPin, SetPinLock string
	// Toolchain is a toolchain directory; "" means rustup by the pin.
	Toolchain string
	// ToolchainName is the name of a toolchain built here when Toolchain is one of those; else "".
	ToolchainName string
	// Offline forbids every use of the network.
	Offline bool
	// Sandbox is the user's word for what a missing sandbox means.
	Sandbox string
	// Jobs is how many processes may work at once.
	Jobs int
	// MemoryMiB bounds the expected memory of the steps that run at once.
	MemoryMiB int64
	// KeepGoing reports all failures instead of stopping at the first.
	KeepGoing bool
	// DryRun prints the plan and runs nothing.
	DryRun bool
	// Verbose streams the output of the tools.
	Verbose bool
	// Backends overrides the recipes' backends: "llvm:init,cranelift:*".
	Backends string
	// Std overrides where the recipes have the standard library from: "shared" or "build-std".
	Std string
	// Remote is on, off or readonly over what is said of a remote cache elsewhere; "" leaves it at that. RemoteEnv has the variables
	// that are about one, by name; their values may be secrets.
	Remote    string
	RemoteEnv map[string]string
	// Overrides is the overrides file; it need not exist.
	Overrides string
	// SourceDirs replaces sources by folders, from REDOX_SOURCE_<NAME>, by recipe name.
	SourceDirs map[string]string
	// GitHub asks for GitHub's workflow annotations.
	GitHub bool
	// Summary is a file that gets the short form of a report; "" for none.
	Summary string
	// DumbTerminal says that the terminal cannot move its cursor.
	DumbTerminal bool
	// Term is the kind of the terminal, as TERM has it.
	Term string
	// DebugInfo has programs and kernels compiled with debug information, which is not in what is made of them.
	DebugInfo bool
	// NoColour asks for text without colours.
	NoColour bool
	// Home is the user's home folder, CargoHome and RustupHome the user's own folders of
	// these tools: read for registry settings and installed toolchains, never written.
	Home, CargoHome, RustupHome string
	// ConfigHome is the user's XDG_CONFIG_HOME, where git looks for its configuration as well; "" when it is not set.
	ConfigHome string
	// NetworkEnv is the user's proxy and certificate settings as NAME=value, for what downloads.
	NetworkEnv []string
	// Transports is the user's settings of how git fetches as NAME=value, for what only fetches: programs of others do
	// not get them, since credentials may be among them.
	Transports []string
	// DisplayEnv is what leads a window of QEMU to the user's screen, as NAME=value.
	DisplayEnv []string
	// Given tells of each variable of package environ that is set, or whose flag is: "flag" or "environment".
	Given map[string]string
	// Path is the user's PATH, used to find rustup, git and QEMU.
	Path string
}

// Flags are what a target's command line may set; nil means not given.
type Flags struct {
	Jobs      *int
	Memory    *int
	KeepGoing *bool
	DryRun    *bool
	Offline   *bool
	Set       *string
	Target    *string
	Backend   *string
	Std       *string
	Toolchain *string
	Remote    *string
}

// maxJobs is how many tokens the pipe of a jobserver takes for certain: one page, what Linux
// gives to a user who has many pipes. A full pipe would wait forever.
const maxJobs = 4096

// validName is what can name a folder below out/.
var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)

// testPrefix starts the variables of the project's own tests.
const testPrefix = "REDOX_TEST_"

// given are the variables of a list that are set, as NAME=value.
func given(env map[string]string, names []string) []string {
	var out []string
	for _, name := range names {
		if start, many := strings.CutSuffix(name, "*"); many {
			for _, name := range slices.Sorted(maps.Keys(env)) {
				if strings.HasPrefix(name, start) {
					out = append(out, name+"="+env[name])
				}
			}
		} else if v, ok := env[name]; ok {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// GitEnv is the environment of a git that fetches.
func (c *Config) GitEnv() []string {
	own := []string{"PATH=" + c.Path, "HOME=" + c.Home}
	if c.ConfigHome != "" {
		own = append(own, "XDG_CONFIG_HOME="+c.ConfigHome)
	}
	return slices.Concat(own, c.NetworkEnv, c.Transports)
}

// Load makes the settings from the environment (NAME=value lines) and the flags. dir is a folder
// inside the checkout. All mistakes are reported at once.
func Load(environ []string, dir string, flags Flags) (*Config, error) {
	env := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = value
		}
	}
	root, err := findRoot(dir)
	if err != nil {
		return nil, err
	}
	var all *multierror.Error
	c := &Config{Root: root, SourceDirs: map[string]string{}, Given: origins(env, flags)}
	all = multierror.Append(all, c.fromEnvironment(env)...)
	all = multierror.Append(all, c.fromFlags(flags)...)
	if err := all.ErrorOrNil(); err != nil {
		all.ErrorFormat = errs.Lines
		return nil, err
	}
	return c, nil
}

// origins tells where the settings come from that are no defaults.
func origins(env map[string]string, f Flags) map[string]string {
	given := map[string]string{}
	for _, v := range environ.Variables() {
		if env[v.Name] != "" {
			given[v.Name] = "environment"
		}
	}
	for name, is := range map[string]bool{
		"REDOX_JOBS": f.Jobs != nil, "REDOX_MEMORY": f.Memory != nil, "REDOX_KEEP_GOING": f.KeepGoing != nil, "REDOX_OFFLINE": f.Offline != nil,
		"REDOX_SET": f.Set != nil, "REDOX_TARGET": f.Target != nil, "REDOX_BACKEND": f.Backend != nil, "REDOX_STD": f.Std != nil,
		"REDOX_TOOLCHAIN": f.Toolchain != nil, "REDOX_REMOTE": f.Remote != nil,
	} {
		if is {
			given[name] = "flag"
		}
	}
	return given
}

// findRoot walks up to the folder that has recipes/ and toolchain/toolchain.toml.
func findRoot(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := abs; ; at = filepath.Dir(at) {
		if exists(filepath.Join(at, "recipes")) && exists(filepath.Join(at, "toolchain", "toolchain.toml")) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside a redox-clif checkout (no recipes/ and toolchain/toolchain.toml above it)", abs)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (c *Config) fromEnvironment(env map[string]string) []error {
	var errs []error
	fail := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	fail(unknownVariables(env))
	if c.Home = env["HOME"]; c.Home == "" {
		c.Home = accountHome()
	}
	c.CargoHome = orJoin(env["CARGO_HOME"], c.Home, ".cargo")
	c.RustupHome = orJoin(env["RUSTUP_HOME"], c.Home, ".rustup")
	c.Path, c.ConfigHome = env["PATH"], env["XDG_CONFIG_HOME"]
	c.Cache = env["REDOX_CACHE"]
	if c.Cache == "" {
		base := orJoin(env["XDG_CACHE_HOME"], c.Home, ".cache")
		if base == "" { // no home folder: below out/, not in whatever folder this was started from
			base = filepath.Join(c.Root, "out", "cache")
		}
		c.Cache = filepath.Join(base, "redox-clif")
	}
	c.Target = env["REDOX_TARGET"]
	if c.Target == "" {
		c.Target = DefaultTarget
	}
	if given := c.FromHome(env["REDOX_OVERRIDES"]); given != "" && !exists(given) {
		fail(fmt.Errorf("REDOX_OVERRIDES names %s, which is not there", given))
	}
	c.Set = env["REDOX_SET"]
	c.Toolchain = c.FromHome(env["REDOX_TOOLCHAIN"])
	c.Backends = env["REDOX_BACKEND"]
	c.Std = env["REDOX_STD"]
	c.Sandbox = env["REDOX_SANDBOX"]
	c.Remote, c.RemoteEnv = env["REDOX_REMOTE"], map[string]string{}
	for name, value := range env {
		if strings.HasPrefix(name, environ.RemotePrefix) {
			c.RemoteEnv[name] = value
		}
	}
	c.Overrides = orJoin(env["REDOX_OVERRIDES"], c.Root, "overrides.toml")
	var err error
	c.Offline, err = boolean(env, "REDOX_OFFLINE")
	fail(err)
	c.DebugInfo, err = boolean(env, "REDOX_DEBUG_INFO")
	fail(err)
	c.KeepGoing, err = boolean(env, "REDOX_KEEP_GOING")
	fail(err)
	jobs, err := number(env, "REDOX_JOBS", int64(runtime.NumCPU()))
	fail(err)
	c.Jobs = int(jobs)
	c.MemoryMiB, err = number(env, "REDOX_MEMORY", machineMemoryMiB()*3/4)
	fail(err)
	c.Term = env["TERM"]
	c.DumbTerminal = c.Term == "dumb"
	c.NoColour = env["NO_COLOR"] != "" || c.DumbTerminal
	c.GitHub, c.Summary = env["GITHUB_ACTIONS"] == "true", env["GITHUB_STEP_SUMMARY"]
	c.NetworkEnv = given(env, environ.Network())
	c.Transports = given(env, environ.Transports())
	c.DisplayEnv = given(env, environ.Display())
	for name, dir := range env {
		if rest, ok := strings.CutPrefix(name, environ.SourcePrefix); ok && dir != "" {
			c.SourceDirs[rest] = c.FromHome(dir)
		}
	}
	if c.ToolchainName = builtName(c.Toolchain); c.ToolchainName != "" {
		c.Toolchain = filepath.Join(c.BuiltToolchains(), c.ToolchainName)
	}
	for _, p := range []*string{&c.Cache, &c.Toolchain, &c.Overrides} {
		if *p == "" {
			continue
		}
		path := c.FromHome(*p)
		if strings.HasPrefix(path, "~") {
			fail(fmt.Errorf("%s: there is no such home folder here; a folder that has that name is written ./%s", path, path))
		}
		abs, err := filepath.Abs(path)
		fail(err)
		*p = abs
	}
	fail(usableCache(c.Cache))
	return errs
}

// usableCache refuses folders that tools cannot work in. Sources: cargo reads the path of a workspace as a pattern when it looks
// for members; LLVM puts a random digit for % in the name of a file that it writes and renames (raw_ostream, createUniqueFile); cargo joins the
// folder of a build's libraries into LD_LIBRARY_PATH.
func usableCache(dir string) error {
	for _, bad := range []struct{ chars, why string }{
		{"*?[\n", "cargo takes * ? [ in a path for a pattern"},
		{"%", "the linker takes % in the name of its output for a digit to choose, and %{ stands for paths of ours"},
		{":", "a list of folders, as PATH is one, cannot hold a : in a name"},
	} {
		if strings.ContainsAny(dir, bad.chars) {
			return fmt.Errorf("the cache would be %q: %s; REDOX_CACHE=DIR puts it elsewhere", dir, bad.why)
		}
	}
	if !utf8.ValidString(dir) {
		return fmt.Errorf("the cache would be %q: cargo and rustc take only paths that are UTF-8; REDOX_CACHE=DIR puts it elsewhere", dir)
	}
	return nil
}

// unknownVariables refuses misspelt REDOX_ variables: a setting that does nothing costs hours.
func unknownVariables(env map[string]string) error {
	var unknown []string
	for name := range env {
		ours := strings.HasPrefix(name, "REDOX_") && !strings.HasPrefix(name, testPrefix)
		if ours && !environ.Known(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	sort.Strings(unknown)
	if now, ok := environ.Renamed()[unknown[0]]; ok {
		return fmt.Errorf("%s is called %s now", unknown[0], now)
	}
	return fmt.Errorf("unknown in the environment: %s; known are\n%s", strings.Join(unknown, ", "), environ.Help())
}

func (c *Config) fromFlags(f Flags) []error {
	set(&c.KeepGoing, f.KeepGoing)
	set(&c.DryRun, f.DryRun)
	set(&c.Offline, f.Offline)
	set(&c.Set, f.Set)
	set(&c.Target, f.Target)
	set(&c.Backends, f.Backend)
	set(&c.Std, f.Std)
	set(&c.Remote, f.Remote)
	set(&c.Jobs, f.Jobs)
	if f.Memory != nil {
		c.MemoryMiB = int64(*f.Memory)
	}
	var errs []error
	if f.Toolchain != nil && *f.Toolchain != "" {
		c.ToolchainName = builtName(*f.Toolchain)
		abs, err := filepath.Abs(*f.Toolchain)
		if c.ToolchainName != "" {
			abs = filepath.Join(c.BuiltToolchains(), c.ToolchainName)
		}
		if err != nil {
			errs = append(errs, err)
		}
		c.Toolchain = abs
	}
	if c.Jobs < 1 {
		errs = append(errs, fmt.Errorf("-j is %d: at least one process is needed", c.Jobs))
	}
	if c.Jobs > maxJobs {
		errs = append(errs, fmt.Errorf("-j is %d: more than %d processes cannot be kept count of", c.Jobs, maxJobs))
	}
	if !validName.MatchString(c.Target) {
		errs = append(errs, fmt.Errorf("%q is no target name: want the name of a file in targets/ without .toml", c.Target))
	}
	if c.Set != "" && !validName.MatchString(c.Set) {
		errs = append(errs, fmt.Errorf("%q is no release set's name", c.Set))
	}
	if c.MemoryMiB < 1 {
		errs = append(errs, fmt.Errorf("the memory bound is %d MiB", c.MemoryMiB))
	}
	return errs
}

// FromHome puts the home folder for a ~ or ~NAME that no shell has expanded, as in a file of settings or behind a =. What is no account's
// stays as it is.
func (c *Config) FromHome(path string) string {
	first, rest, _ := strings.Cut(path, "/")
	name, ok := strings.CutPrefix(first, "~")
	home := c.Home
	if ok && name != "" {
		home = ""
		if account, err := user.Lookup(name); err == nil {
			home = account.HomeDir
		}
	}
	if !ok || home == "" {
		return path
	}
	return filepath.Join(home, rest)
}

// accountHome is the home folder of the account where HOME does not say it: cron and containers leave it out. "" if
// the account has none either.
func accountHome() string {
	account, err := user.Current()
	if err != nil {
		return ""
	}
	return account.HomeDir
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func orJoin(value, dir, name string) string {
	if value != "" || dir == "" {
		return value
	}
	return filepath.Join(dir, name)
}

func boolean(env map[string]string, name string) (bool, error) {
	v := env[name]
	if v == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("%s is %q, not 0 or 1", name, v)
	}
	return b, nil
}

func number(env map[string]string, name string, otherwise int64) (int64, error) {
	v := env[name]
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		return otherwise, fmt.Errorf("%s is %q, not a positive number", name, v)
	}
	return n, nil
}

// builtName is what REDOX_TOOLCHAIN names when it is no folder: a folder is written with a slash.
func builtName(value string) string {
	if value == "." || value == ".." || strings.ContainsAny(value, `/\`) {
		return ""
	}
	return value
}

// Recipes is the folder of the checkout that says what is built.
func (c *Config) Recipes() string { return filepath.Join(c.Root, "recipes") }

// Patches is the folder with the patch series.
func (c *Config) Patches() string { return filepath.Join(c.Root, "patches") }

// Targets is the folder with the target specs.
func (c *Config) Targets() string { return filepath.Join(c.Root, "targets") }

// ToolchainDir has the pin, the lock and what toolchains are built of.
func (c *Config) ToolchainDir() string { return filepath.Join(c.Root, "toolchain") }

// Pin is the file with the release set's pin.
func (c *Config) Pin() string {
	if c.SetPin != "" {
		return c.SetPin
	}
	return filepath.Join(c.ToolchainDir(), "toolchain.toml")
}

// HasActivePin tells whether the release set's pin is that of the active one, for which generated files of the checkout are kept.
func (c *Config) HasActivePin() bool {
	return c.Pin() == filepath.Join(c.ToolchainDir(), "toolchain.toml")
}

// PinLock is the file with what was verified of the pin.
func (c *Config) PinLock() string {
	if c.SetPinLock != "" {
		return c.SetPinLock
	}
	return filepath.Join(c.ToolchainDir(), "toolchain.lock.toml")
}

// Image is where a disk image is made when nothing else is said.
func (c *Config) Image(name string) string { return filepath.Join(c.Out(), name+".img") }

// Work is the part of the cache that tools work in.
func (c *Config) Work() string { return filepath.Join(c.Cache, "work") }

// Crates is the CARGO_HOME of what fetches.
func (c *Config) Crates() string { return filepath.Join(c.Cache, "cargo-home") }

// Sources is that of fetched repositories and archives.
func (c *Config) Sources() string { return filepath.Join(c.Cache, "sources") }

// Locks is that of the locks of steps.
func (c *Config) Locks() string { return filepath.Join(c.Cache, "locks") }

// Packages is that of package repositories.
func (c *Config) Packages() string { return filepath.Join(c.Cache, "pkg") }

// Toolchains is that of what is known of toolchains.
func (c *Config) Toolchains() string { return filepath.Join(c.Cache, "toolchains") }

// CacheParts are the names of the cache's folders.
func CacheParts() []string {
	return []string{"actions", "cas", "work", "sources", "cargo-home", "toolchains", "pkg", "rust", "locks"}
}

// ReproPrefix starts the name of a folder with two builds, in the cache. It is locked while they run, so
// that a collection of the cache can tell what a killed run left.
const ReproPrefix = "repro-"

// BuiltToolchains is the folder of the toolchains that were built here, by name.
func (c *Config) BuiltToolchains() string { return filepath.Join(c.Cache, "rust") }

// Out is the folder of a target's results.
func (c *Config) Out() string {
	if c.OutDir != "" {
		return c.OutDir
	}
	return filepath.Join(c.Root, "out", c.Target)
}

// State is the folder of what is remembered of the last builds, per target and release set.
func (c *Config) State() string {
	set := c.Set
	if set == "" {
		set = "default"
	}
	return filepath.Join(c.Out(), "state", set)
}

// Logs is the folder of the logs.
func (c *Config) Logs() string { return filepath.Join(c.Out(), "log") }
