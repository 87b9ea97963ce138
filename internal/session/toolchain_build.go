package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/doctor"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// builtToolchains is where toolchains are built and kept.
func (s *Session) builtToolchains() rustbuild.Store {
	return rustbuild.Store{Dir: s.Config.BuiltToolchains()}
}

func (s *Session) toolchainFolder() string { return filepath.Join(s.Config.Root, "toolchain") }

// toolchainBuild is one ToolchainBuild.
type toolchainBuild struct {
	*Session
	rust     rustbuild.Build
	inputs   rustbuild.Inputs
	dir      string // where the result is or will be
	programs *rustbuild.Programs
	jobs     int
	stage0   rustbuild.Stage0
	result   string
	shown    ui.Observer
}

// ToolchainBuild builds a toolchain with the Cranelift backend from sources; name may be empty when there is only one recipe.
// What is built already is not built again; what was stopped goes on.
func (s *Session) ToolchainBuild(ctx context.Context, name string) error {
	b, err := s.toolchainBuild(ctx, name)
	if err != nil {
		return err
	}
	if b.rust.Store.Has(b.dir) {
		return b.isBuilt()
	}
	if s.Config.DryRun {
		return b.printPlan(ctx)
	}
	lock, err := b.rust.Store.Lock(ctx, b.rust.Recipe.Name, func() {
		s.say("another run builds %s; waiting for it to end", b.rust.Recipe.Name)
	})
	if err != nil {
		return err
	}
	defer lock.Release()
	if b.rust.Store.Has(b.dir) { // by the run that was waited for
		return b.isBuilt()
	}
	if err := b.checkDisk(); err != nil {
		return err
	}
	if err := b.perform(ctx, lock.File()); err != nil {
		return err
	}
	b.sayHowToUse()
	return nil
}

// toolchainBuild finds out what would be built of what, and lists everything that this machine lacks for it.
func (s *Session) toolchainBuild(ctx context.Context, name string) (*toolchainBuild, error) {
	r, err := rustbuild.Load(os.DirFS(s.toolchainFolder()), name)
	if err != nil {
		return nil, err
	}
	b := &toolchainBuild{Session: s, rust: rustbuild.Build{Store: s.builtToolchains(), Recipe: r, Host: rustbuild.HostTriple()}}
	for _, series := range r.Patches {
		loaded, err := patch.Load(os.DirFS(s.patchesDir()), series)
		if err != nil {
			return nil, err
		}
		b.rust.Series = append(b.rust.Series, loaded)
	}
	if b.jobs = r.Needs.Jobs(s.Config.Jobs, s.Config.MemoryMiB); b.jobs < 1 {
		return nil, fmt.Errorf("one job of this build takes %d MiB, and the bound is %d MiB (-memory, REDOX_MEMORY)", r.Needs.MemoryMiB, s.Config.MemoryMiB)
	}
	m := s.buildMachine()
	missing := &multierror.Error{ErrorFormat: errorLines}
	if b.rust.LLVM, err = rustbuild.FindLLVM(ctx, m, r.LLVM); err != nil {
		missing = multierror.Append(missing, err)
	} else if err := rustbuild.CheckHeaders(ctx, m, b.rust.LLVM); err != nil {
		missing = multierror.Append(missing, err)
	}
	if b.programs, err = rustbuild.FindPrograms(ctx, m); err != nil {
		missing = multierror.Append(missing, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := missing.ErrorOrNil(); err != nil {
		return nil, fmt.Errorf("%s cannot be built on this machine:\n%w", r.Name, err)
	}
	if b.inputs, err = b.rust.Inputs(); err != nil {
		return nil, err
	}
	b.dir = b.rust.Store.Path(r.Name, b.inputs.Identity())
	return b, nil
}

// errorLines lists errors, each on lines of its own.
func errorLines(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n")
}

// buildMachine is this machine for package rustbuild.
func (s *Session) buildMachine() rustbuild.Machine {
	return rustbuild.ThisMachine(rustbuild.Machine{
		Look: s.lookPath, Run: s.ask,
		Hint: func(debian, fedora, brew string) string {
			return doctor.Install(runtime.GOOS, os.DirFS("/"), debian, fedora, brew)
		},
	})
}

// ask runs a short program and returns its standard output; the error has the first line of the other one.
func (s *Session) ask(ctx context.Context, argv ...string) (string, error) {
	return machine{s}.Run(ctx, argv...)
}

func (b *toolchainBuild) isBuilt() error {
	if err := b.rust.Store.Point(b.rust.Recipe.Name, b.dir); err != nil {
		return err
	}
	b.say("%s is built already: %s", b.rust.Recipe.Name, b.dir)
	b.sayHowToUse()
	return nil
}

func (b *toolchainBuild) sayHowToUse() {
	name := b.rust.Recipe.Name
	b.say("  use it here:    export REDOX_TOOLCHAIN=%s", name)
	b.say("  with rustup:    rustup toolchain link %s %s", name, b.rust.Store.Link(name))
	b.say("  take it along:  mage toolchain:pack %s", name)
	lock, err := toolchain.LoadLock(b.lockPath())
	if err != nil {
		return // toolchain:lock will say so
	}
	if locked, ok := lock.Built[name][b.rust.Host]; ok && locked.Identity != b.inputs.Identity() {
		b.say("  the lock describes another one, %s: REDOX_TOOLCHAIN=%s mage toolchain:lock", locked.Identity[:min(16, len(locked.Identity))], name)
	}
}

// reason says why it is built.
func (b *toolchainBuild) reason() string {
	old, err := rustbuild.ReadManifest(b.rust.Store.Link(b.rust.Recipe.Name))
	if err != nil {
		return "not built before"
	}
	if differ := b.inputs.Differences(old.Inputs); len(differ) > 0 {
		return "other " + strings.Join(differ, ", ") + " than " + filepath.Base(b.rust.Store.Path(old.Name, old.Identity))
	}
	return "it is no longer there"
}

// printPlan is the dry run.
func (b *toolchainBuild) printPlan(ctx context.Context) error {
	r := b.rust.Recipe
	archive := b.archive()
	row := func(what, format string, args ...any) []string { return []string{what, fmt.Sprintf(format, args...)} }
	fetched := "to be downloaded"
	if n := b.archiveFetcher().Arrived(archive); n > 0 {
		fetched = fmt.Sprintf("%s of it here", ui.Bytes(n))
	}
	work := "not extracted"
	if b.rust.Extracted() {
		work = "extracted; what was compiled of it is used"
	}
	stage0 := "to be installed by rustup"
	if _, err := b.findStage0(ctx); err == nil {
		stage0 = "installed"
	}
	free, err := machine{b.Session}.Free(b.rust.Store.Dir)
	if err != nil {
		return err
	}
	rows := [][]string{
		row("would build", "%s (%s): %s", r.Name, r.Description, b.reason()),
		row("result", "%s", b.dir),
		row("source", "%s, %s", r.Source.Archive, fetched),
		row("built in", "%s, %s", b.rust.Work(), work),
		row("patches", "%s: %d", strings.Join(r.Patches, ", "), len(rustbuild.Applied(b.rust.Series))),
		row("stage 0", "%s, %s", r.Stage0, stage0),
		row("LLVM", "%s (%s)", b.rust.LLVM.Version, b.rust.LLVM.Config),
		row("jobs", "%d of %d MiB each", b.jobs, r.Needs.MemoryMiB),
		row("disk", "%s at most, %s free", ui.Bytes(r.Needs.DiskMiB<<20), ui.Bytes(free)),
		row("time", "about %s", ui.Seconds(b.estimate())),
	}
	return ui.Table(b.Streams.Out, rows)
}

func (b *toolchainBuild) profile() rustbuild.Profile {
	return rustbuild.LoadProfile(b.rust.Work(), b.rust.Recipe.Progress)
}

func (b *toolchainBuild) estimate() time.Duration {
	return time.Duration(b.profile().Total) * time.Second
}

func (b *toolchainBuild) checkDisk() error {
	used := b.archiveFetcher().Arrived(b.archive()) + rustbuild.OnDisk(b.rust.Work())
	return rustbuild.CheckDisk(b.rust.Store.Dir, b.rust.Recipe.Needs, used, machine{b.Session}.Free)
}

func (b *toolchainBuild) archive() source.Archive {
	return source.Archive{URL: b.rust.Recipe.Source.Archive, SHA256: b.rust.Recipe.Source.SHA256, Strip: 1}
}

// archiveFetcher fetches an archive; it needs no toolchain.
func (b *toolchainBuild) archiveFetcher() *source.Fetcher {
	return &source.Fetcher{Store: filepath.Join(b.Config.Cache, "sources"), Offline: b.Config.Offline, Git: "git"}
}

// step is one line of the progress.
type step struct {
	id, reason string
	estimate   time.Duration
	run        func(ctx context.Context, status func(string)) error
}

// perform runs the steps; lock is what children keep locked as long as they run.
func (b *toolchainBuild) perform(ctx context.Context, lock *os.File) error {
	start := time.Now()
	r := b.rust.Recipe
	before := childUsage()
	steps := []step{
		{"toolchain/stage0", "rustc " + r.Stage0 + " by rustup", 0, b.needStage0},
		{"toolchain/source", r.Source.Archive, 0, b.needSource},
		{"toolchain/patches", strings.Join(r.Patches, ", "), 0, b.patch},
		{"toolchain/rustc", b.reason(), b.estimate(), func(ctx context.Context, status func(string)) error { return b.compile(ctx, status, lock) }},
		{"toolchain/assemble", b.dir, 0, b.assemble},
	}
	b.shown = ui.New(b.Streams.Err, b.Config.Verbose)
	err := b.steps(ctx, steps)
	b.shown.Close()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("stopped (%w): what was compiled is kept, the next run goes on from there", err)
	}
	if err != nil {
		return b.explain(multierror.Append(nil, err))
	}
	used := childUsage()
	b.say("%s is built in %s (%s of processor time, the largest process had %s): %s", r.Name, ui.Seconds(time.Since(start)),
		ui.Seconds(used.cpu-before.cpu), ui.Bytes(used.largest), b.result)
	b.say("  the folder it was built in has %s: `mage cache:gc` may remove it", ui.Bytes(rustbuild.OnDisk(b.rust.Work())))
	return nil
}

func (b *toolchainBuild) steps(ctx context.Context, steps []step) error {
	var nodes []*graph.Node
	for _, st := range steps {
		nodes = append(nodes, &graph.Node{ID: st.id})
	}
	b.shown.Begin(nodes)
	for i, st := range steps {
		n, start := nodes[i], time.Now()
		b.shown.Started(n, st.reason, st.estimate)
		err := st.run(ctx, func(line string) { b.shown.Status(n, line) })
		outcome := graph.Ran
		switch {
		case err != nil && ctx.Err() != nil:
			outcome, err = graph.Skipped, context.Cause(ctx)
		case err != nil:
			outcome = graph.Failed
		}
		b.shown.Finished(n, outcome, time.Since(start), err)
		if err == nil {
			continue
		}
		if outcome == graph.Skipped {
			return err
		}
		failure := &graph.Failure{Node: st.id, Err: err}
		if cmd := (*execroot.CommandError)(nil); errors.As(err, &cmd) {
			failure.Log = b.logPath()
		}
		return failure
	}
	return nil
}

func (b *toolchainBuild) findStage0(ctx context.Context) (*toolchain.Toolchain, error) {
	pin := &toolchain.Pin{Toolchain: toolchain.PinnedChannel{Channel: b.rust.Recipe.Stage0, Profile: "minimal"}}
	from := toolchain.Sources{Rustup: b.lookPath("rustup"), RustupHome: b.Config.RustupHome}
	return toolchain.Find(ctx, from, pin, toolchain.Exec(b.toolEnv()))
}

func (b *toolchainBuild) needStage0(ctx context.Context, status func(string)) error {
	found, err := b.findStage0(ctx)
	if errors.Is(err, toolchain.ErrNotInstalled) {
		if b.Config.Offline {
			return fmt.Errorf("rustc %s is not installed and this run is offline: rustup toolchain install %s --profile minimal", b.rust.Recipe.Stage0, b.rust.Recipe.Stage0)
		}
		pin := &toolchain.Pin{Toolchain: toolchain.PinnedChannel{Channel: b.rust.Recipe.Stage0, Profile: "minimal"}}
		env := append(b.toolEnv(), b.Config.NetworkEnv...)
		if err := toolchain.Install(ctx, b.lookPath("rustup"), pin, false, toolchain.ExecLines(env), status); err != nil {
			return err
		}
		found, err = b.findStage0(ctx)
	}
	if err != nil {
		return err
	}
	b.stage0 = rustbuild.Stage0{Rustc: found.Rustc, Cargo: found.Cargo}
	return nil
}

func (b *toolchainBuild) needSource(ctx context.Context, status func(string)) error {
	if b.rust.Extracted() {
		return nil
	}
	f, archive := b.archiveFetcher(), b.archive()
	stop := every(time.Second, func() {
		status(fmt.Sprintf("%s of %s here", ui.Bytes(f.Arrived(archive)), ui.Bytes(b.rust.Recipe.Source.Size)))
	})
	err := f.Fetch(ctx, &source.Resolved{Name: b.rust.Recipe.Name, Source: archive, FetchURL: b.overrides.Mirror(archive.URL)})
	stop()
	if errors.As(err, new(*source.OfflineError)) {
		return fmt.Errorf("%s is not here yet and this run is offline", archive.URL)
	}
	if err != nil {
		return err
	}
	status("extracting")
	return b.rust.Extract(func(dest string) error {
		return f.ExportPart(ctx, archive, b.rust.Recipe.Source.Wants, dest)
	})
}

func (b *toolchainBuild) patch(ctx context.Context, status func(string)) error {
	written, err := b.rust.Patch(ctx, patch.Options{})
	if err == nil {
		status(fmt.Sprintf("%d files written", len(written)))
	}
	return err
}

func (b *toolchainBuild) logPath() string {
	return filepath.Join(b.Config.Logs(), "toolchain-"+b.rust.Recipe.Name+".log")
}

// quietInterval is how often a build says how far it is where there is no terminal.
const quietInterval = 2 * time.Minute

// compile runs x.py.
func (b *toolchainBuild) compile(ctx context.Context, status func(string), lock *os.File) (err error) {
	cmd, err := b.rust.Command(b.programs, b.stage0, b.jobs)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.Config.Logs(), 0o755); err != nil {
		return err
	}
	script := strings.TrimSuffix(b.logPath(), ".log") + ".sh"
	if err := renameio.WriteFile(script, []byte(cmd.Script()), 0o755); err != nil {
		return err
	}
	log, err := os.Create(b.logPath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	out := &compileOutput{log: log, progress: rustbuild.NewProgress(b.profile(), time.Now), start: time.Now()}
	if b.Config.Verbose {
		out.each = status
	}
	stopLive := every(time.Second, func() { out.show(status) })
	stopQuiet := every(quietInterval, func() { b.shown.Notice("toolchain/rustc: " + out.status()) })
	err = cmd.Run(ctx, out.line, lock)
	stopLive()
	stopQuiet()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &execroot.CommandError{Args: cmd.Args, First: out.first, Script: script, Err: err}
	}
	if profile, whole := out.progress.Profile(); whole {
		return rustbuild.SaveProfile(b.rust.Work(), profile)
	}
	return nil
}

// compileOutput is what x.py prints.
type compileOutput struct {
	mu       sync.Mutex
	log      io.Writer
	start    time.Time
	progress *rustbuild.Progress
	first    string       // the first line that looks like an error
	each     func(string) // gets every line; nil: none
}

func (o *compileOutput) line(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(o.log, "%7.1f %s\n", time.Since(o.start).Seconds(), text) // a log that cannot be written is no reason to stop
	o.progress.Line(text)
	trimmed := strings.TrimSpace(text)
	// "error: could not compile" comes after the error that says why.
	if o.first == "" && (strings.HasPrefix(trimmed, "error:") || strings.HasPrefix(trimmed, "error[") || strings.HasPrefix(trimmed, "ERROR:")) {
		o.first = trimmed
	}
	if o.each != nil {
		o.each(text)
	}
}

func (o *compileOutput) status() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress.Status()
}

func (o *compileOutput) show(status func(string)) {
	if text := o.status(); o.each == nil && text != "" {
		status(text)
	}
}

// every calls f at an interval until the returned function is called.
func every(d time.Duration, f func()) (stop func()) {
	tick := time.NewTicker(d)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-tick.C:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() { tick.Stop(); close(done); <-ended }
}

func (b *toolchainBuild) assemble(ctx context.Context, status func(string)) (err error) {
	b.result, err = b.rust.Assemble(ctx, b.stage0, b.ask)
	return err
}

// usage is what the children of this process have taken.
type usage struct {
	cpu     time.Duration
	largest int64 // bytes of the largest process
}

// ToolchainPack packs a built toolchain into a file; out may be empty for a file in the working folder.
func (s *Session) ToolchainPack(ctx context.Context, name, out string) error {
	r := name
	if r == "" {
		loaded, err := rustbuild.Load(os.DirFS(s.toolchainFolder()), "")
		if err != nil {
			return err
		}
		r = loaded.Name
	}
	store := s.builtToolchains()
	dir, err := store.Resolve(r)
	if err != nil {
		return err
	}
	used, err := store.Use(dir)
	if err != nil {
		return err
	}
	defer used.Close()
	if out == "" {
		out = filepath.Base(dir) + ".tar.xz"
	}
	start := time.Now()
	s.say("packing %s, which takes a minute or two", dir)
	sum, err := rustbuild.Pack(ctx, dir, out)
	if err != nil {
		return err
	}
	beside := fmt.Sprintf("%s  %s\n", sum, filepath.Base(out))
	if err := renameio.WriteFile(out+".sha256", []byte(beside), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(s.Streams.Out, "%s  %s\n", sum, out)
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	s.say("%s in %s; there: mage toolchain:unpack %s -sha256=%s", ui.Bytes(info.Size()), ui.Seconds(time.Since(start)), filepath.Base(out), sum)
	return nil
}

// ToolchainUnpack takes a packed toolchain into the cache. sha256 is what the file must have; "" takes what a file
// of that name with .sha256 says, if there is one.
func (s *Session) ToolchainUnpack(ctx context.Context, file, sha256 string) error {
	if sha256 == "" {
		text, err := os.ReadFile(file + ".sha256")
		if err == nil {
			fields := bytes.Fields(text)
			if len(fields) == 0 {
				return fmt.Errorf("%s.sha256 has no digest", file)
			}
			sha256 = string(fields[0])
		} else {
			s.say("no -sha256 and no %s.sha256: damage will be noticed, a forgery will not", file)
		}
	}
	m := s.buildMachine()
	u := rustbuild.Unpacker{
		Store: s.builtToolchains(), Host: rustbuild.HostTriple(), Ask: s.ask,
		FindLLVM: func(ctx context.Context, major rustbuild.LLVMRange) (*rustbuild.LLVM, error) {
			return rustbuild.FindLLVM(ctx, m, major)
		},
		Waiting: func() { s.say("another run works on this toolchain; waiting for it to end") },
	}
	dir, manifest, err := u.Unpack(ctx, file, sha256)
	if err != nil {
		return err
	}
	s.say("%s is in %s", manifest.Name, dir)
	s.say("  use it here:    export REDOX_TOOLCHAIN=%s", manifest.Name)
	return nil
}
