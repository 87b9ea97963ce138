package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
)

const (
	relibcRecipe = "relibc-tests"
	// libraryRecipe makes libc.a and the CRT objects.
	libraryRecipe = "relibc"
	relibcImage   = "relibc-tests" // below images/
	// relibcFolder has a folder for each backend, in the guest.
	relibcFolder = "/relibc-tests"
	relibcPlan   = "/etc/relibc-tests.plan"
	// relibcBin is where upstream's makefile puts the static programs, which some of the tests print.
	relibcBin = "bins_static"
	// relibcSeconds is how long a test may take; upstream's runner gives ten seconds to a machine that is not emulated.
	relibcSeconds = 30
)

// relibcBackends are the settings of -backend that the C library is built by.
var relibcBackends = map[string]string{relibctest.Reference: "llvm:*", relibctest.Tested: "cranelift:*"}

// relibcTests is one run of relibc's tests.
type relibcTests struct {
	s      *session.Session
	report *junit.Report
	list   *relibctest.List
	dir    string // of this run alone
	accel  string
	tests  map[string]*relibctest.Test
	image  string
	tool   string // redoxfs-tool
	boots  int
	took   time.Duration
}

// Relibc builds relibc's own tests with the C library by both backends, boots them in one image, and compares
// what they print with each other and with what upstream expects. only names tests or folders of tests
// ("stdio/"), "" means all.
func Relibc(ctx context.Context, s *session.Session, only, accel string) error {
	t := &relibcTests{s: s, accel: accel, tests: map[string]*relibctest.Test{}}
	var err error
	if t.report, err = junit.Begin(filepath.Join(s.Config.Out(), "test", "relibc.xml")); err != nil {
		return err
	}
	if t.list, err = knownRelibcTests(s); err != nil {
		return err
	}
	dir, done, err := s.Scratch("relibc-test", "run")
	if err != nil {
		return err
	}
	defer done()
	t.dir = dir
	if err := t.build(ctx); err != nil {
		return err
	}
	if s.Config.DryRun {
		return nil
	}
	if unknown := t.list.Unknown(slices.Collect(maps.Keys(t.tests))); len(unknown) > 0 {
		return fmt.Errorf("%s lists tests that relibc does not have: %s", s.Relative(relibcList(s)), strings.Join(unknown, ", "))
	}
	if err := t.choose(only); err != nil {
		return err
	}
	if err := t.writeImage(ctx); err != nil {
		return err
	}
	cases, err := t.run(ctx)
	if err != nil {
		return err
	}
	return t.conclude(cases)
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
		built, err := by(t.s, relibcBackends[backend]).Build(ctx, session.BuildOptions{}, func(b *builder.Builder) ([]*graph.Node, error) {
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
		if err := t.s.Store.Materialise(ctx, built.Output(0), t.stage(backend, ""), nil, nil); err != nil {
			return err
		}
		if err := t.collect(backend); err != nil {
			return err
		}
	}
	return nil
}

// checkLibrary refuses a C library that its recipe has tied to the other backend: it would be compared with itself.
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
	return builtBy(m, backend)
}

func builtBy(m *manifest.Manifest, backend string) error {
	for _, f := range m.Files {
		if f.Backend != backend {
			return fmt.Errorf("%s of relibc is compiled by %q and not by %s, so that there is nothing to compare (reason: %s); `mage toolchain:build` makes a toolchain whose Cranelift can",
				f.Path, f.Backend, backend, f.Reason)
		}
	}
	return nil
}

// by is the session with another choice of backends.
func by(s *session.Session, backends string) *session.Session {
	other, config := *s, *s.Config
	config.Backends = backends
	other.Config = &config
	return &other
}

// stage is a path in the staged tree of the tests.
func (t *relibcTests) stage(backend, below string) string {
	if below == "" {
		return filepath.Join(t.dir, backend)
	}
	return filepath.Join(t.dir, backend, "root", filepath.FromSlash(below))
}

// collect finds the tests of one backend, and what upstream expects of them.
func (t *relibcTests) collect(backend string) error {
	programs, err := filesBelow(t.stage(backend, "programs/bin"))
	if err != nil {
		return err
	}
	refused, err := filesBelow(t.stage(backend, "programs/refused"))
	if err != nil {
		return err
	}
	for _, name := range programs {
		if err := t.add(backend, name); err != nil {
			return err
		}
	}
	for _, name := range refused {
		if err := t.add(backend, name); err != nil {
			return err
		}
		said, err := os.ReadFile(filepath.Join(t.stage(backend, "programs/refused"), filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		t.tests[name].Refused[backend] = string(said)
	}
	// The guest has no use for it.
	return os.RemoveAll(t.stage(backend, "tests/expected"))
}

// filesBelow are the files below a folder, as slash paths.
func filesBelow(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	return names, err
}

func (t *relibcTests) add(backend, name string) (err error) {
	if t.tests[name] != nil {
		return nil
	}
	test := &relibctest.Test{Name: name, Refused: map[string]string{}, Results: map[string]relibctest.Result{}}
	if test.Stdout, err = expectedOf(t.stage(backend, "tests/expected"), name+".stdout"); err != nil {
		return err
	}
	test.Stderr, err = expectedOf(t.stage(backend, "tests/expected"), name+".stderr")
	t.tests[name] = test
	return err
}

// expectedOf reads a file from where upstream's runner looks for it, nil when there is none.
func expectedOf(dir, name string) (*string, error) {
	for _, file := range []string{filepath.Join(dir, relibcBin, name), filepath.Join(dir, name)} {
		text, err := os.ReadFile(file)
		if err == nil {
			return new(string(text)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// choose keeps the tests that are named.
func (t *relibcTests) choose(only string) error {
	if only == "" {
		return nil
	}
	chosen := map[string]*relibctest.Test{}
	for _, word := range strings.Split(only, ",") {
		found := false
		for name, test := range t.tests {
			if name == word || strings.HasSuffix(word, "/") && strings.HasPrefix(name, word) {
				chosen[name], found = test, true
			}
		}
		if !found {
			return fmt.Errorf("-only names %q; there are %s", word, strings.Join(t.names(), ", "))
		}
	}
	t.tests = chosen
	return nil
}

func (t *relibcTests) names() []string { return slices.Sorted(maps.Keys(t.tests)) }

// writeImage makes the image with the tests in it.
func (t *relibcTests) writeImage(ctx context.Context) error {
	d, err := diskbuild.Describe(t.s, diskbuild.Flags{Name: relibcImage})
	if err != nil {
		return err
	}
	for _, backend := range []string{relibctest.Reference, relibctest.Tested} {
		d.Trees = append(d.Trees,
			disk.Tree{From: diskbuild.FilePrefix + t.stage(backend, "tests"), To: relibcFolder + "/" + backend},
			disk.Tree{From: diskbuild.FilePrefix + t.stage(backend, "programs/bin"), To: relibcFolder + "/" + backend + "/" + relibcBin})
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
