package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/build"
	"github.com/pannous/redox-clif/internal/bytediff"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/run"
	"github.com/pannous/redox-clif/internal/ui"
)

// twins are the two builds that Repro compares. Their folders differ in length, so that a path that gets
// into a result moves what follows it.
var twins = []struct {
	folder string
	jobs   int
	// elsewhere has the tools believe that another user runs them in another year.
	elsewhere bool
}{
	{"a", 1, false},
	{"another-folder-with-a-much-longer-name", runtime.NumCPU() + 1, true},
}

// reproPrefix starts the name of a folder with two builds, in the cache. It is locked while they run, so
// that a collection of the cache can tell what a killed run left.
const reproPrefix = "repro-"

// Repro builds a recipe twice from nothing, with caches, exec roots and cargo homes in other places, other
// numbers of jobs, as two users and in two years as far as this machine lets us, and compares the output of
// every step. The environment of the tools is made from nothing, so that the time zone and the shell have no
// way in. The error shows the first difference: step, file, section and bytes.
func (s *Session) Repro(ctx context.Context, name string) error {
	want, fallBack, err := s.wantRecipe(name)
	if err != nil {
		return err
	}
	tools, err := s.tools(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Config.Cache, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.Config.Cache, reproPrefix+"*")
	if err != nil {
		return err
	}
	lock, err := lockfile.Try(filepath.Join(dir, ".lock"))
	if err != nil {
		return err
	}
	defer lock.Release()
	other := s.elsewhere(ctx, tools, dir)
	var built [2]*twin
	for i, as := range twins {
		here := surroundings{}
		if as.elsewhere {
			here = other
		}
		if i > 0 {
			// In another year no certificate is valid: what was downloaded is there for both.
			if err := copyCargoHome(filepath.Join(dir, twins[0].folder), filepath.Join(dir, as.folder)); err != nil {
				return err
			}
		}
		s.say("build %d of 2: with %d jobs%s in %s", i+1, as.jobs, here, filepath.Join(dir, as.folder))
		if built[i], err = s.twin(ctx, tools, filepath.Join(dir, as.folder), as.jobs, here, want, fallBack); err != nil {
			return errors.Join(s.explain(err), os.RemoveAll(dir))
		}
	}
	compared := 0
	for _, n := range built[0].order {
		a, b := built[0].outputs[n], built[1].outputs[n]
		if a != b {
			return fmt.Errorf("%s is not reproducible: %s gave other bytes the second time\n%w\nboth builds are kept in %s", name, n, s.difference(built, a, b), dir)
		}
		compared++
	}
	fmt.Fprintf(s.Streams.Out, "%s: all %d outputs are the same bytes, in folders of %d and %d letters, with %d and %d jobs%s\n", name, compared,
		len(filepath.Join(dir, twins[0].folder)), len(filepath.Join(dir, twins[1].folder)), twins[0].jobs, twins[1].jobs, other)
	return os.RemoveAll(dir)
}

// twin is one of the two builds.
type twin struct {
	store   *cas.Store
	order   []string // of the steps, each after what it needs
	outputs map[string]cas.Digest
}

func copyCargoHome(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return os.CopyFS(filepath.Join(to, "cargo-home"), os.DirFS(filepath.Join(from, "cargo-home")))
}

// twin builds with a cache of its own. Nothing in out/ is touched.
func (s *Session) twin(ctx context.Context, tools build.Tools, cache string, jobs int, here surroundings, want Want, fallBack bool) (*twin, error) {
	own, err := s.withCache(cache, jobs)
	if err != nil {
		return nil, err
	}
	server, err := run.NewJobserver(jobs)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	builder, err := own.builder(tools, server, fallBack)
	if err != nil {
		return nil, err
	}
	defer builder.Roots.Close()
	builder.Roots.User, builder.Roots.ExtraEnv = here.user, here.env
	roots, err := want(builder)
	if err != nil {
		return nil, err
	}
	shown := ui.New(s.Streams.Err, s.Config.Verbose)
	engine := own.engine(shown)
	engine.LogDir = filepath.Join(cache, "log")
	sum, err := engine.Build(ctx, roots)
	shown.Close()
	if err != nil {
		return nil, err
	}
	t := &twin{store: own.Store, outputs: map[string]cas.Digest{}}
	order, err := graph.Order(roots)
	if err != nil {
		return nil, err
	}
	for _, n := range order {
		t.order = append(t.order, n.ID)
		t.outputs[n.ID] = sum.Outputs[n]
	}
	return t, nil
}

// withCache is this session on another cache and with a memory of its own.
func (s *Session) withCache(cache string, jobs int) (*Session, error) {
	cfg := *s.Config
	cfg.Cache, cfg.Jobs = cache, jobs
	store, err := cas.Open(filepath.Join(cache, "cas"))
	if err != nil {
		return nil, err
	}
	own := *s
	own.Config, own.Store = &cfg, store
	own.Actions = action.OpenCache(filepath.Join(cache, "actions"))
	own.Stats = cas.OpenStatCache(filepath.Join(cache, "stats"))
	own.History = graph.OpenHistory(filepath.Join(cache, "nodes"))
	return &own, nil
}

// difference describes the first file in which two output trees differ.
func (s *Session) difference(built [2]*twin, a, b cas.Digest) error {
	one, err := built[0].store.LoadTree(a)
	if err != nil {
		return err
	}
	two, err := built[1].store.LoadTree(b)
	if err != nil {
		return err
	}
	for _, c := range cas.Diff(one, two) {
		if c.Kind != "changed" || c.Old.Digest == c.New.Digest {
			return fmt.Errorf("  %s: %s", c.Path, c.Kind)
		}
		x, err := built[0].store.ReadAll(c.Old.Digest)
		if err != nil {
			return err
		}
		y, err := built[1].store.ReadAll(c.New.Digest)
		if err != nil {
			return err
		}
		d, _ := bytediff.First(x, y)
		return fmt.Errorf("  %s (%d and %d bytes): %s", c.Path, len(x), len(y), d)
	}
	return errors.New("  the trees differ only in how they are encoded")
}

// elapsed is how long f took.
func elapsed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}
