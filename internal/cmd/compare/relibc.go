package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/relibctest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

const (
	relibcRecipe = "relibc-tests"
	// libraryRecipe makes libc.a and the CRT objects.
	libraryRecipe = "relibc"
	relibcImage   = "relibc-tests" // below images/
	// relibcPlan is where the runner looks for its plan: images/relibc-tests.toml.
	relibcPlan = "/etc/relibc-tests.plan"
)

// relibcBackends are the settings of -backend that the C library is built by.
var relibcBackends = map[string]string{relibctest.Reference: "llvm:*", relibctest.Tested: "cranelift:*"}

// relibcTests is one run of relibc's tests.
type relibcTests struct {
	s     *session.Session
	suite *relibctest.Suite
	dir   string // of this run alone
	accel string
	image string
	tool  string // redoxfs-tool
	boots int
	took  time.Duration // by guests
}

// Relibc builds relibc's own tests with the C library by both backends, boots them in one image, and compares
// what they print with each other and with what upstream expects. only names tests or folders of tests
// ("stdio/"), "" means all.
func Relibc(ctx context.Context, s *session.Session, only, accel string) error {
	report, err := junit.Begin(filepath.Join(s.Config.Out(), "test", "relibc.xml"))
	if err != nil {
		return err
	}
	list, err := knownRelibcTests(s)
	if err != nil {
		return err
	}
	dir, done, err := s.Scratch("relibc-test", "run")
	if err != nil {
		return err
	}
	defer done()
	t := &relibcTests{s: s, suite: relibctest.NewSuite(list), dir: dir, accel: accel}
	if err := t.build(ctx); err != nil {
		return err
	}
	if s.Config.DryRun {
		return nil
	}
	if unknown := list.Unknown(t.suite.Names()); len(unknown) > 0 {
		return fmt.Errorf("%s lists tests that relibc does not have: %s", s.Relative(relibcList(s)), strings.Join(unknown, ", "))
	}
	if err := t.suite.Choose(only); err != nil {
		return err
	}
	if err := t.writeImage(ctx); err != nil {
		return err
	}
	cases, err := t.run(ctx)
	if err != nil {
		return err
	}
	return t.conclude(report, cases)
}

func relibcList(s *session.Session) string {
	return filepath.Join(s.Config.Root, "recipes", relibcRecipe, "known.toml")
}

func knownRelibcTests(s *session.Session) (*relibctest.List, error) {
	text, err := os.ReadFile(relibcList(s))
	if err != nil {
		return nil, err
	}
	return relibctest.ReadList(s.Relative(relibcList(s)), text)
}

// build makes the programs by both backends and lays them out in the scratch folder.
func (t *relibcTests) build(ctx context.Context) error {
	for _, backend := range []string{relibctest.Reference, relibctest.Tested} {
		t.s.Say("relibc by %s, and its tests with it", backend)
		built, err := withBackends(t.s, relibcBackends[backend]).Build(ctx, session.BuildOptions{}, func(b *builder.Builder) ([]*graph.Node, error) {
			tests, err := b.Stage(relibcRecipe)
			if err != nil {
				return nil, err
			}
			library, err := b.Stage(libraryRecipe)
			return []*graph.Node{tests, library}, err
		})
		if err != nil {
			return err
		}
		if built == nil {
			continue // a dry run
		}
		if err := t.checkLibrary(built.Output(1), backend); err != nil {
			return err
		}
		if err := t.s.Store.Materialise(ctx, built.Output(0), filepath.Join(t.dir, backend), nil, nil); err != nil {
			return err
		}
		if err := t.suite.Collect(t.stage(backend, ""), backend); err != nil {
			return err
		}
		// The guest has no use for it.
		if err := os.RemoveAll(t.stage(backend, "tests/expected")); err != nil {
			return err
		}
	}
	return nil
}

func (t *relibcTests) checkLibrary(stage cas.Digest, backend string) error {
	e, ok, err := t.s.Store.Lookup(stage, manifest.FileName)
	if err != nil || !ok {
		return errors.Join(err, fs.ErrNotExist)
	}
	text, err := t.s.Store.ReadAll(e.Digest)
	if err != nil {
		return err
	}
	m, err := manifest.Read(text)
	if err != nil {
		return err
	}
	return relibctest.CheckLibrary(m, backend)
}

// withBackends is the session with another choice of backends.
func withBackends(s *session.Session, backends string) *session.Session {
	other, config := *s, *s.Config
	config.Backends = backends
	other.Config = &config
	return &other
}

// stage is a path in the staged tree of the tests.
func (t *relibcTests) stage(backend, below string) string {
	return filepath.Join(t.dir, backend, "root", filepath.FromSlash(below))
}

// writeImage makes the image with the tests in it.
func (t *relibcTests) writeImage(ctx context.Context) error {
	d, err := diskbuild.Describe(t.s, diskbuild.Flags{Name: relibcImage})
	if err != nil {
		return err
	}
	for _, backend := range []string{relibctest.Reference, relibctest.Tested} {
		folder := relibctest.Folder + "/" + backend
		d.Trees = append(d.Trees,
			disk.Tree{From: diskbuild.FilePrefix + t.stage(backend, "tests"), To: folder},
			disk.Tree{From: diskbuild.FilePrefix + t.stage(backend, "programs/bin"), To: folder + "/" + relibctest.Bin})
	}
	parts, err := diskbuild.BuildParts(ctx, t.s, d, session.BuildOptions{Quiet: true})
	if err != nil {
		return err
	}
	contents, err := d.Contents(ctx, parts.Resolve)
	if err != nil {
		return err
	}
	t.tool, t.image = parts.Tool, filepath.Join(t.dir, "disk.img")
	return diskbuild.Make(ctx, t.s, d, parts, contents, t.image)
}

// conclude says what was found, writes the reports, and fails on everything that is not expected.
func (t *relibcTests) conclude(report *junit.Report, cases []relibctest.Case) error {
	c := relibctest.Conclude(cases)
	if len(cases) == 0 {
		return c.Err()
	}
	outputs := filepath.Join(filepath.Dir(report.File), "relibc")
	if err := errors.Join(t.suite.WriteOutputs(outputs), report.Write(c.JUnit(t.took))); err != nil {
		return err
	}
	for _, one := range cases {
		switch {
		case one.Unexpected():
		case one.Again:
			t.s.Say("%s came out as it should only when it was run again", one.Name)
		case one.Outdated():
			t.s.Say("%s is listed as %q and %s", one.Name, one.Known.What, one.Verdict)
		}
	}
	t.s.Say("%s", c.Summary())
	t.s.Say("booted %d times, %s; outputs in %s, report: %s", t.boots, ui.Seconds(t.took), t.s.Relative(outputs), t.s.Relative(report.File))
	return c.Err()
}
