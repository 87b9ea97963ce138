// Package session is one invocation of a target: it opens what the settings name, puts the
// parts together and runs them.
//
// It owns the order in which things are opened, the checkout's lock and what is
// written to out/. It must not know how any part works; the magefiles call its functions and do
// nothing else.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/safepath"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/terminal"
	"github.com/pannous/redox-clif/internal/trace"
	"github.com/pannous/redox-clif/internal/ui"
	"github.com/pannous/redox-clif/internal/unchanged"
)

// Streams are where a session writes. Out is for results, Err for progress.
type Streams struct {
	Out io.Writer
	Err *os.File
	// Raw is Out for what is no text: a file's content, a guest's console. Out passes on what a terminal may be given.
	Raw io.Writer
}

// Binary is where bytes go that must not be changed.
func (s Streams) Binary() io.Writer {
	if s.Raw == nil {
		return s.Out
	}
	return s.Raw
}

// Session is what an invocation works with.
type Session struct {
	Config  *config.Config
	Store   *cas.Store
	Actions *action.Cache
	Stats   *cas.StatCache
	History *graph.History
	Streams Streams

	description *description // read by described
	remote      *remoteUse   // opened by the first build; nil without one
	// distrust has builds read every byte of what was up to date, see Run.
	distrust bool
	// Reenter says that this program begins with sandbox.Main.
	Reenter bool
	// Words are the arguments that this program was started with, when it is the binary of the targets; nil otherwise.
	Words []string

	environ []string        // as given to Open
	began   time.Time       // before anything was read
	looked  *unchanged.Seen // outside of the cache, as far as a build rests on it
	said    *transcript

	// usedToolchain keeps a toolchain of the cache from being collected, see toolchainSources.
	UsedToolchain *os.File

	// noticed are the notices about sources that were said.
	noticed *sync.Map
}

// Open reads the settings and opens the cache. It needs no recipe, no toolchain and no network.
func Open(flags config.Flags, environ []string, dir string, verbose bool, streams Streams) (*Session, error) {
	began := time.Now()
	cfg, err := config.Load(environ, dir, flags)
	if err != nil {
		return nil, err
	}
	if err := useSet(cfg); err != nil {
		return nil, err
	}
	cfg.Verbose = verbose
	s, err := open(cfg, streams)
	if s != nil {
		s.began, s.environ = began, environ
	}
	return s, err
}

// open opens the cache of settings that have been read.
func open(cfg *config.Config, streams Streams) (*Session, error) {
	mendFolders(cfg.Cache)
	if err := checkOwner(cfg.Cache); err != nil {
		return nil, err
	}
	store, err := cas.Open(filepath.Join(cfg.Cache, "cas"))
	if err != nil {
		return nil, Hinted(err)
	}
	return &Session{
		Config: cfg, Store: store, Streams: streams, looked: &unchanged.Seen{}, said: &transcript{},
		Actions: action.OpenCache(filepath.Join(cfg.Cache, "actions")),
		Stats:   store.OpenStatCache(filepath.Join(cfg.State(), "stats")),
		History: graph.OpenHistory(filepath.Join(cfg.State(), "nodes")),
	}, nil
}

// checkOwner refuses a cache that another user of the machine can write to: who does, decides what is taken from it.
func checkOwner(cache string) error {
	var unsafe *safepath.Error
	err := safepath.Check(cache)
	if errors.As(err, &unsafe) {
		return fmt.Errorf("the cache %w; REDOX_CACHE=DIR puts it elsewhere", err)
	}
	return err
}

// Say writes a line about what is going on.
func (s *Session) Say(format string, args ...any) {
	line := terminal.Clean(fmt.Sprintf(format, args...))
	s.said.add(line)
	fmt.Fprintln(s.Streams.Err, line)
}

// ShowsColours tells whether people see what goes to standard error in colours.
func (s *Session) ShowsColours() bool {
	return !s.Config.NoColour && s.Streams.Err != nil && term.IsTerminal(int(s.Streams.Err.Fd()))
}

func (s *Session) checkoutLock() string { return filepath.Join(s.Config.Out(), ".lock") }

// Lock makes runs in one checkout wait for each other.
func (s *Session) Lock(ctx context.Context) (func(), error) {
	path := s.checkoutLock()
	l, err := lockfile.Wait(ctx, path, func() {
		s.Say("%s works in this checkout; waiting for it to end (%s)", lockfile.Holder(path), path)
	})
	if err != nil {
		return nil, err
	}
	return l.Release, nil
}

// Builder makes the Builder for a toolchain.
func (s *Session) Builder(tools builder.Tools, jobs *process.Jobserver, o BuildOptions) (*builder.Builder, error) {
	backends, err := builder.ParseBackends(s.Config.Backends)
	if err != nil {
		return nil, err
	}
	sources, err := s.PrepareOptions(tools, jobs, o)
	if err != nil {
		return nil, err
	}
	return builder.New(builder.Options{
		Sources: sources, Set: s.Config.Set, Target: s.Config.Target, Tools: tools, Specs: os.DirFS(s.Config.Targets()),
		Backends: backends, Std: builder.StdMode(s.Config.Std), MayFallBack: o.FallBack, DebugInfo: s.Config.DebugInfo,
		Workers: s.workers(tools),
	}), nil
}

// PrepareOptions are the settings by which sources are made ready.
func (s *Session) PrepareOptions(tools builder.Tools, jobs *process.Jobserver, o BuildOptions) (prepare.Options, error) {
	d, err := s.described()
	if err != nil {
		return prepare.Options{}, err
	}
	cargoHome, err := s.CargoHome()
	if err != nil {
		return prepare.Options{}, err
	}
	confined, err := s.sandbox(tools, o.Around)
	if err != nil {
		return prepare.Options{}, err
	}
	if s.noticed == nil {
		s.noticed = &sync.Map{}
	}
	notice := func(line string) {
		if _, again := s.noticed.LoadOrStore(line, true); !again { // a session may build many times
			s.Say("%s", line)
		}
	}
	return prepare.Options{
		Recipes: d.recipes, Store: s.Store,
		Roots: &execroot.Runner{Store: s.Store, Dir: s.Config.Work(), Expand: builder.Placeholders(tools, cargoHome),
			Install: tools.Install, User: o.Around.User, ExtraEnv: o.Around.Env, Sandbox: confined, Fetched: []string{cargoHome}, Jobs: jobs, Notice: notice},
		Patches: os.DirFS(s.Config.Patches()), Fetcher: s.Fetcher(tools, cargoHome), Overrides: d.overrides,
		Stats: s.Stats, CargoHome: cargoHome, Offline: s.Config.Offline, NetworkEnv: s.Config.NetworkEnv, Transports: s.Config.Transports, Notice: notice,
	}, nil
}

// Fetcher gets sources with the settings of this run. Without a cargo it gets no crates.
func (s *Session) Fetcher(tools builder.Tools, cargoHome string) *source.Fetcher {
	// RUSTC: cargo asks the compiler for its version even when it only downloads a crate, and what PATH
	// has under that name is rustup's proxy, which fails without a default toolchain.
	env := append([]string{"PATH=" + s.Config.Path, "HOME=" + s.Config.Home, "RUSTC=" + tools.Rustc}, s.Config.NetworkEnv...)
	return &source.Fetcher{
		Store: s.Config.Sources(), Offline: s.Config.Offline, Git: s.Git(s.Config.Sources()),
		Cargo: tools.Cargo, CargoHome: cargoHome, Fence: s.fence(s.Config.Sources(), cargoHome), Install: tools.Install, Replaced: &source.Replaced{}, Env: env,
		Notice: func(line string) { s.Say("%s", line) },
	}
}

// engine makes the Engine of a build.
func (s *Session) engine(o graph.Observer) *graph.Engine {
	return &graph.Engine{
		Store: s.Store, Cache: s.Actions, History: s.History, LogDir: s.Config.Logs(), KeepLog: (&execroot.Runner{Dir: s.Config.Work()}).KeepOther,
		LockDir: s.Config.Locks(), Jobs: s.Config.Jobs, Memory: s.Config.MemoryMiB << 20,
		KeepGoing: s.Config.KeepGoing, Distrust: s.distrust, Remote: s.asRemote(), Elsewhere: s.maxElsewhere(), Observer: o, Now: time.Now,
	}
}

// Want names what a build shall bring up to date.
type Want func(b *builder.Builder) ([]*graph.Node, error)

// Built is a finished build.
type Built struct {
	Builder *builder.Builder
	Roots   []*graph.Node
	Summary *graph.Summary
}

// Output is the output tree of the i-th thing wanted.
func (b *Built) Output(i int) cas.Digest { return b.Summary.Outputs[b.Roots[i]] }

// BuildOptions are how a build differs from the one that a user asks for by name.
type BuildOptions struct {
	// FallBack lets the build go on with LLVM where Cranelift is missing.
	FallBack bool
	// Quiet is for what the user did not ask for (a host tool): it is worth a word only when it takes time.
	Quiet bool
	// Around is what the tools find around them besides.
	Around Surroundings
	// Done does something with every finished build, as long as its tools and their jobserver are there; they are gone when
	// Build returns.
	Done func(context.Context, *Built) error
}

// Surroundings are what tools find around them that must not get into what they make: another user (nil: this one), and
// variables over those of the step.
type Surroundings struct {
	User *process.User
	Env  []string
	// Files are what Env names.
	Files []string
}

// Build brings what is wanted up to date, shows the progress and says at the end what was done.
// With -dryrun it prints the plan and returns nil.
func (s *Session) Build(ctx context.Context, o BuildOptions, want Want) (*Built, error) {
	unlock, err := s.Lock(ctx)
	if err != nil {
		return nil, Hinted(err)
	}
	defer unlock()
	if err := checkFileSystem(s.Config.Cache); err != nil {
		return nil, err
	}
	tools, err := s.Tools(ctx)
	if err != nil {
		return nil, Hinted(err)
	}
	jobs, err := process.NewJobserver(s.Config.Jobs)
	if err != nil {
		return nil, err
	}
	defer jobs.Close()
	if !s.Config.DryRun {
		if err := s.openRemote(ctx); err != nil {
			return nil, err
		}
	}
	builder, err := s.Builder(tools, jobs, o)
	if err != nil {
		return nil, err
	}
	s.Sweep()
	defer builder.Close()
	roots, err := want(builder)
	if err != nil {
		return nil, s.description.explain(err)
	}
	if s.Config.DryRun {
		return nil, s.printPlan(ctx, roots)
	}
	return s.perform(ctx, builder, roots, o)
}

func (s *Session) perform(ctx context.Context, builder *builder.Builder, roots []*graph.Node, o BuildOptions) (*Built, error) {
	shown := ui.New(s.Streams.Err, s.Config.Verbose, s.Config.DumbTerminal, s.ShowsColours(), s.Config.GitHub)
	recorder := trace.New(listener{shown, s.said}, time.Now)
	start := time.Now()
	unshow := s.showRemote(recorder.Notice)
	summary, err := s.engine(recorder).Build(ctx, roots)
	unshow()
	shown.Close()
	if saveErr := s.Stats.Save(); saveErr != nil {
		s.Say("could not keep the stat cache: %v", saveErr)
	}
	if !o.Quiet {
		if saveErr := recorder.Save(s.TraceFile(), s.about(builder, roots), s.failure(err)); saveErr != nil {
			s.Say("could not write the trace: %v", saveErr)
		}
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil, fmt.Errorf("stopped (%w): what was done is kept, the next run goes on from there", err)
	}
	if err != nil {
		if s.Config.KeepGoing && summary != nil && summary.Count(graph.Skipped) > 0 {
			s.Say("%d steps ran, %d were up to date, %d failed, %d were not tried: they need what failed", summary.Count(graph.Ran),
				summary.Count(graph.UpToDate), summary.Count(graph.Failed), summary.Count(graph.Skipped))
		}
		return nil, s.Explain(err)
	}
	done := &Built{builder, roots, summary}
	if o.Done != nil {
		if err := o.Done(ctx, done); err != nil {
			return nil, err
		}
	}
	if !o.Quiet {
		for _, url := range builder.Sources().UnusedOverrides() {
			s.Say("%s: [git.%q] is used by nothing that was built", s.Relative(s.Config.Overrides), url)
		}
	}
	switch {
	case summary.Count(graph.Ran)+summary.Count(graph.Fetched) > 0:
		s.Say("%s", ui.Summary(summary, time.Since(start), s.Config.Set))
	case !o.Quiet:
		s.Say("nothing to do: all %d steps are up to date, no compiler ran%s", summary.Count(graph.UpToDate), ui.InSet(s.Config.Set))
	}
	return done, nil
}
