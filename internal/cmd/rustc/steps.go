package rustc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// The steps of a build of a toolchain.

func (b *build) findStage0(ctx context.Context) (*toolchain.Toolchain, error) {
	pin := &toolchain.Pin{Toolchain: toolchain.PinnedChannel{Channel: b.rust.Recipe.Stage0, Profile: "minimal"}}
	from := toolchain.Sources{Rustup: b.s.LookPath("rustup"), RustupHome: b.s.Config.RustupHome}
	return toolchain.Find(ctx, from, pin, toolchain.Exec(b.s.ToolEnv()))
}

func (b *build) needStage0(ctx context.Context, status func(string)) error {
	found, err := b.findStage0(ctx)
	if errors.Is(err, toolchain.ErrNotInstalled) {
		if b.s.Config.Offline {
			return fmt.Errorf("rustc %s is not installed and this run is offline: rustup toolchain install %s --profile minimal", b.rust.Recipe.Stage0, b.rust.Recipe.Stage0)
		}
		pin := &toolchain.Pin{Toolchain: toolchain.PinnedChannel{Channel: b.rust.Recipe.Stage0, Profile: "minimal"}}
		env := append(b.s.ToolEnv(), b.s.Config.NetworkEnv...)
		if err := toolchain.Install(ctx, b.s.LookPath("rustup"), pin, false, toolchain.ExecLines(env), status); err != nil {
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

func (b *build) needSource(ctx context.Context, status func(string)) error {
	if b.rust.Extracted() {
		return nil
	}
	f, archive := b.archiveFetcher(), b.archive()
	overrides, err := b.s.Overrides()
	if err != nil {
		return err
	}
	stop := every(time.Second, func() {
		status(fmt.Sprintf("%s of %s here", ui.Bytes(f.Arrived(archive)), ui.Bytes(b.rust.Recipe.Source.Size)))
	})
	err = f.Fetch(ctx, &source.Resolved{Name: b.rust.Recipe.Name, Source: archive, FetchURL: overrides.Mirror(archive.URL)})
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

func (b *build) patch(ctx context.Context, status func(string)) error {
	patched, err := b.rust.Patch(ctx, patch.Options{})
	if err != nil {
		return err
	}
	status(fmt.Sprintf("%d files written", len(patched.Written)))
	b.std, err = b.rust.Std(b.stage0, patched)
	return err
}

func (b *build) logPath() string {
	return filepath.Join(b.s.Config.Logs(), "toolchain-"+b.rust.Recipe.Name+".log")
}

// quietInterval is how often a build says how far it is where there is no terminal.
const quietInterval = 2 * time.Minute

// compile runs x.py.
func (b *build) compile(ctx context.Context, status func(string), lock *os.File) (err error) {
	cmd, err := b.rust.Command(b.programs, b.stage0, b.jobs, b.std.Kept())
	if err != nil {
		return err
	}
	if err := b.std.Begin(); err != nil {
		return err
	}
	if err := os.MkdirAll(b.s.Config.Logs(), 0o755); err != nil {
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
	out := &compileOutput{log: log, start: time.Now()}
	if b.s.Config.Verbose {
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
	return b.std.Done()
}

// compileOutput is what x.py prints.
type compileOutput struct {
	mu       sync.Mutex
	log      io.Writer
	start    time.Time
	progress rustbuild.Progress
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

func (b *build) assemble(ctx context.Context, status func(string)) (err error) {
	b.result, err = b.rust.Assemble(ctx, b.stage0, b.s.Ask)
	return err
}
