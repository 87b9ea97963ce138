// Package report is `mage report`: a page of the last build, or the same as text, Markdown or JSON.
//
// It owns where the parts of a report are in a checkout, and where the page goes. It must not know what a report says of them
// (package report below session) nor how it looks (package page).
package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cacheparts"
	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/cratesize"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/remote"
	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/report/page"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Flags say in what form a report is wanted, and what with.
type Flags struct {
	Text, Markdown, JSON bool
	// Against is a manifest to compare with, or a folder with one; "" is that of the image before.
	Against string
}

// FileName is how the page is called, in out/<target>/.
const FileName = "report.html"

// Run makes a report of what is in out/ and prints it, or writes the page. In a job of GitHub's the page's short form is added to the
// summary of the job.
func Run(ctx context.Context, s *session.Session, f Flags) error {
	if err := oneForm(f); err != nil {
		return err
	}
	r, err := collect(ctx, s, f.Against)
	if err != nil {
		return err
	}
	switch {
	case f.JSON:
		return ui.WriteJSON(s.Streams.Out, "report", r)
	case f.Text:
		return page.Text(s.Streams.Out, r)
	case f.Markdown:
		_, err := io.WriteString(s.Streams.Out, page.Markdown(r))
		return err
	}
	return write(s, r)
}

func oneForm(f Flags) error {
	forms := 0
	for _, given := range []bool{f.Text, f.Markdown, f.JSON} {
		if given {
			forms++
		}
	}
	if forms > 1 {
		return errors.New("-text, -markdown and -json are three forms of one report: give one of them")
	}
	return nil
}

func write(s *session.Session, r *report.Report) error {
	text, err := page.HTML(r)
	if err != nil {
		return err
	}
	file := filepath.Join(s.Config.Out(), FileName)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := renameio.WriteFile(file, text, 0o644, renameio.WithTempDir(filepath.Dir(file))); err != nil {
		return err
	}
	s.Say("%s: %s, to be opened in a browser; -text prints the same", s.Relative(file), ui.Bytes(int64(len(text))))
	if s.Config.Summary == "" {
		return nil
	}
	return appendTo(s.Config.Summary, page.Markdown(r))
}

func appendTo(file, text string) (err error) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("the job's summary: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(text)
	return err
}

func collect(ctx context.Context, s *session.Session, against string) (*report.Report, error) {
	programs := guest.Programs(s)
	from := report.Sources{
		Root: s.Config.Root, Out: s.Config.Out(), Trace: s.TraceFile(), Logs: s.Config.Logs(), History: s.History,
		Image: filepath.Join(s.Config.Out(), builder.ImageName), Patches: os.DirFS(s.Config.Patches()),
		Drift:  func(r *drift.Report) (time.Time, error) { return found(s, "drift", r) },
		Remote: func(n *remote.Stats) (time.Time, error) { return found(s, session.RemoteFound, n) },
		Stacks: func(log io.Reader) ([]crash.Stack, error) { return programs.Stacks(log, s.SourceFile) },
		Crates: func(f manifest.File) (map[string]int64, error) { return crates(programs, f) },
		Cache:  func(ctx context.Context) (*gc.Inventory, error) { return cacheparts.Of(s).Inventory(ctx) },
	}
	compareWith(s, &from, against)
	r, err := report.Collect(ctx, from, s.Config.Target, time.Now())
	if err == nil {
		r.Commit = commit(ctx, s)
	}
	return r, err
}

// compareWith chooses the manifest to compare with.
func compareWith(s *session.Session, from *report.Sources, against string) {
	if against != "" {
		from.Against, from.AgainstName, from.Required = against, against, true
		if info, err := os.Stat(against); err == nil && info.IsDir() {
			from.Against = filepath.Join(against, manifest.FileName)
		}
		return
	}
	if m, err := manifest.ReadIn(s.Config.Out()); err == nil {
		from.Against, from.AgainstName = s.PreviousManifest(m.Recipe), "the image before"
	}
}

// found reads what a target found when it was run last, and when that was.
func found(s *session.Session, target string, result any) (time.Time, error) {
	file := s.FoundFile(target)
	text, err := os.ReadFile(file)
	if err != nil {
		return time.Time{}, err
	}
	if err := ui.ReadJSON(text, target, result); err != nil {
		return time.Time{}, fmt.Errorf("%s %w", s.Relative(file), err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// crates reads the program of a file as it was before its symbols were taken away.
func crates(programs *crash.Programs, f manifest.File) (map[string]int64, error) {
	one, ok := programs.WithDigest(f.SHA256)
	if !ok {
		return nil, nil
	}
	path, err := programs.WithSymbols(one)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return cratesize.Of(file)
}

// commit is what git calls the checkout; "" for one without git.
func commit(ctx context.Context, s *session.Session) string {
	text, err := s.Ask(ctx, "git", "-C", s.Config.Root, "describe", "--always", "--dirty", "--abbrev=12")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(text)
}
