package rustc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// build is one ToolchainBuild.
type build struct {
	s        *session.Session
	rust     rustbuild.Build
	inputs   rustbuild.Inputs
	dir      string // where the result is or will be
	programs *rustbuild.Programs
	jobs     int
	stage0   rustbuild.Stage0
	std      *rustbuild.Std
	result   string
	shown    ui.Observer
}

// Build builds a toolchain with the Cranelift backend from sources; name may be empty when there is only one recipe,
// llvm when LLVM comes from where that says. What is built already is not built again; what was stopped goes on.
func Build(ctx context.Context, s *session.Session, name, llvm string) error {
	b, err := newBuild(ctx, s, name, llvm)
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
		s.Say("another run builds %s; waiting for it to end", b.rust.Recipe.Name)
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

// newBuild finds out what would be built of what, and lists everything that this machine lacks for it.
func newBuild(ctx context.Context, s *session.Session, name, llvm string) (*build, error) {
	r, err := rustbuild.Load(os.DirFS(s.Config.ToolchainDir()), name, rustbuild.LLVMOrigin(llvm))
	if err != nil {
		return nil, err
	}
	b := &build{s: s, rust: rustbuild.Build{Store: s.BuiltToolchains(), Recipe: r, Host: rustbuild.HostTriple()}}
	for _, series := range r.Patches {
		loaded, err := patch.Load(os.DirFS(s.Config.Patches()), series)
		if err != nil {
			return nil, err
		}
		b.rust.Series = append(b.rust.Series, loaded)
	}
	if b.jobs = r.Needs.Jobs(s.Config.Jobs, s.Config.MemoryMiB); b.jobs < 1 {
		return nil, fmt.Errorf("one job of this build takes %d MiB, and the bound is %d MiB (-memory, REDOX_MEMORY)", r.Needs.MemoryMiB, s.Config.MemoryMiB)
	}
	if err := b.findParts(ctx); err != nil {
		return nil, err
	}
	if b.inputs, err = b.rust.Inputs(); err != nil {
		return nil, err
	}
	b.dir = b.rust.Store.Path(r.Name, b.inputs.Identity())
	return b, nil
}

// findParts finds what the build takes from this machine; the error lists everything that is lacking.
func (b *build) findParts(ctx context.Context) error {
	m, r := b.s.BuildMachine(), b.rust.Recipe
	missing := &multierror.Error{ErrorFormat: errs.Lines}
	var err error
	if !r.OwnLLVM() {
		if b.rust.LLVM, err = session.InstalledLLVM(ctx, m, r); err != nil {
			missing = multierror.Append(missing, err)
		}
	}
	if b.programs, err = rustbuild.FindPrograms(ctx, m, r.OwnLLVM()); err != nil {
		missing = multierror.Append(missing, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := missing.ErrorOrNil(); err != nil {
		hint := ""
		if !r.OwnLLVM() && b.rust.LLVM == nil {
			hint = "\n  or have LLVM compiled too: mage toolchain:build " + r.Name + " -llvm=" + string(rustbuild.BootstrapLLVM)
		}
		return fmt.Errorf("%s cannot be built on this machine:\n%w%s", r.Name, err, hint)
	}
	return nil
}

func (b *build) isBuilt() error {
	if err := b.rust.Store.Point(b.rust.Recipe.Name, b.dir); err != nil {
		return err
	}
	b.s.Say("%s is built already: %s", b.rust.Recipe.Name, b.dir)
	b.sayHowToUse()
	return nil
}

func (b *build) sayHowToUse() {
	name := b.rust.Recipe.Name
	b.s.Say("  use it here:    export REDOX_TOOLCHAIN=%s", name)
	b.s.Say("  with rustup:    %s", process.Quote([]string{"rustup", "toolchain", "link", name, b.rust.Store.Link(name)}))
	b.s.Say("  take it along:  mage toolchain:pack %s", name)
	lock, err := toolchain.LoadLock(b.s.Config.PinLock())
	if err != nil {
		return // toolchain:lock will say so
	}
	locked, ok := lock.Built[name][b.rust.Host]
	if !ok {
		b.s.Say("  write it down:  REDOX_TOOLCHAIN=%s mage toolchain:lock", name)
	} else if locked.Identity != b.inputs.Identity() {
		b.s.Say("  the lock describes one of other %s: REDOX_TOOLCHAIN=%s mage toolchain:lock", strings.Join(b.inputs.Differences(lockedInputs(name, b.rust.Host, locked)), ", "), name)
	}
}

// lockedInputs are the inputs of a toolchain as the lock has them.
func lockedInputs(name, host string, l toolchain.BuiltFrom) rustbuild.Inputs {
	return rustbuild.Inputs{Name: name, Release: l.Release, Host: host, Source: l.Source, Stage0: l.Stage0, LLVM: l.LLVM, Bootstrap: l.Flags, Patches: l.Patches}
}

// reason says why it is built.
func (b *build) reason() string {
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
func (b *build) printPlan(ctx context.Context) error {
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
	free, err := b.s.Host().Free(b.rust.Store.Dir)
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
		row("LLVM", "%s", b.llvm()),
		row("jobs", "%d of %d MiB each", b.jobs, r.Needs.MemoryMiB),
		row("disk", "%s at most, %s free", ui.Bytes(r.Needs.DiskMiB<<20), ui.Bytes(free)),
		row("time", "about %s", ui.Seconds(b.estimate())),
	}
	return ui.Table(b.s.Streams.Out, rows)
}

// llvm says where LLVM comes from.
func (b *build) llvm() string {
	if b.rust.LLVM == nil {
		return "compiled too, from the same archive"
	}
	return fmt.Sprintf("%s (%s)", b.rust.LLVM.Version, b.rust.LLVM.Config)
}

// estimate is how long compiling will take.
func (b *build) estimate() time.Duration {
	takes := b.rust.Recipe.Takes
	if b.std != nil && b.std.Kept() {
		return time.Duration(takes.Backend) * time.Second
	}
	return time.Duration(takes.Seconds) * time.Second
}

func (b *build) checkDisk() error {
	used := b.archiveFetcher().Arrived(b.archive()) + rustbuild.OnDisk(b.rust.Work())
	return rustbuild.CheckDisk(b.rust.Store.Dir, b.rust.Recipe.Needs, used, b.s.Host().Free)
}

func (b *build) archive() source.Archive {
	return source.Archive{URL: b.rust.Recipe.Source.Archive, SHA256: b.rust.Recipe.Source.SHA256, Strip: 1}
}

// archiveFetcher fetches an archive; it needs no toolchain.
func (b *build) archiveFetcher() *source.Fetcher {
	return &source.Fetcher{Store: b.s.Config.Sources(), Offline: b.s.Config.Offline}
}

// step is one line of the progress.
type step struct {
	id, reason string
	estimate   func() time.Duration // nil: a moment; asked when the step begins
	run        func(ctx context.Context, status func(string)) error
}

// perform runs the steps; lock is what children keep locked as long as they run.
func (b *build) perform(ctx context.Context, lock *os.File) error {
	start := time.Now()
	r := b.rust.Recipe
	before := childUsage()
	steps := []step{
		{"toolchain/stage0", "rustc " + r.Stage0 + " by rustup", nil, b.needStage0},
		{"toolchain/source", r.Source.Archive, nil, b.needSource},
		{"toolchain/patches", strings.Join(r.Patches, ", "), nil, b.patch},
		{"toolchain/rustc", b.reason(), b.estimate, func(ctx context.Context, status func(string)) error { return b.compile(ctx, status, lock) }},
		{"toolchain/assemble", b.dir, nil, b.assemble},
	}
	b.shown = ui.New(b.s.Streams.Err, b.s.Config.Verbose, b.s.Config.DumbTerminal, b.s.ShowsColours(), b.s.Config.GitHub)
	err := b.steps(ctx, steps)
	b.shown.Close()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("stopped (%w): what was compiled is kept, the next run goes on from there", err)
	}
	if err != nil {
		return b.s.Explain(multierror.Append(nil, err))
	}
	used := childUsage()
	b.s.Say("%s is built in %s (%s of processor time, the largest process had %s): %s", r.Name, ui.Seconds(time.Since(start)),
		ui.Seconds(used.cpu-before.cpu), ui.Bytes(used.largest), b.result)
	b.s.Say("  the folder it was built in has %s: `mage cache:gc` may remove it", ui.Bytes(rustbuild.OnDisk(b.rust.Work())))
	return nil
}

func (b *build) steps(ctx context.Context, steps []step) error {
	var nodes []*graph.Node
	for _, st := range steps {
		nodes = append(nodes, &graph.Node{ID: st.id})
	}
	b.shown.Begin(nodes)
	for i, st := range steps {
		n, start := nodes[i], time.Now()
		var estimate time.Duration
		if st.estimate != nil {
			estimate = st.estimate()
		}
		b.shown.Started(n, st.reason, estimate)
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
