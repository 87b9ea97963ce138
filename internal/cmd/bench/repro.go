package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/bytediff"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/session"
)

// sides are the two builds that Repro compares. Their folders differ in length, so that a path that gets
// into a result moves what follows it.
var sides = []struct {
	folder string
	jobs   int
	// elsewhere has the tools believe that another user runs them in another year.
	elsewhere bool
}{
	{"a", 1, false},
	{"another-folder-with-a-much-longer-name", runtime.NumCPU() + 1, true},
}

// Repro builds a recipe twice from nothing, with caches, exec roots and cargo homes in other places, other
// numbers of jobs, as two users and in two years as far as this machine lets us, and compares the output of
// every step. The environment of the tools is made from nothing, so that the time zone and the shell have no
// way in. The error shows the first difference: step, file, section and bytes.
func Repro(ctx context.Context, s *session.Session, name string) error {
	want, o, err := s.Want(name)
	if err != nil {
		return err
	}
	return twice(ctx, s, name, func(ctx context.Context, own *session.Session, as session.BuildOptions) (string, error) {
		as.FallBack = o.FallBack
		_, err := own.Build(ctx, as, want)
		return "", err
	})
}

// ReproImage does the same with a disk image, all its recipes, and the image's own bytes.
func ReproImage(ctx context.Context, s *session.Session, name string) error {
	flags := diskbuild.Flags{Name: name}
	d, err := diskbuild.Describe(s, flags)
	if err != nil {
		return err
	}
	return twice(ctx, s, "image "+d.Name, func(ctx context.Context, own *session.Session, as session.BuildOptions) (string, error) {
		return own.Config.Image(d.Name), diskbuild.Build(ctx, own, flags, as)
	})
}

// construct builds something in a session and returns the file it made besides the outputs of its steps; "" is none.
type construct func(ctx context.Context, own *session.Session, as session.BuildOptions) (file string, err error)

// twice does something in two sessions and compares what came out.
func twice(ctx context.Context, s *session.Session, what string, do construct) error {
	tools, err := s.Tools(ctx)
	if err != nil {
		return session.Hinted(err)
	}
	if err := os.MkdirAll(s.Config.Cache, 0o755); err != nil {
		return session.Hinted(err)
	}
	dir, err := os.MkdirTemp(s.Config.Cache, config.ReproPrefix+"*")
	if err != nil {
		return session.Hinted(err)
	}
	lock, err := lockfile.Try(filepath.Join(dir, ".lock"))
	if err != nil {
		return session.Hinted(err)
	}
	defer lock.Release()
	other := elsewhere(ctx, s, tools, dir)
	var built [2]*side
	for i, as := range sides {
		here := reproEnvironment{}
		if as.elsewhere {
			here = other
		}
		t := &side{dir: filepath.Join(dir, as.folder), jobs: as.jobs, here: here, outputs: map[string]cas.Digest{}}
		first := filepath.Join(dir, sides[0].folder)
		s.Say("build %d of 2: with %d jobs%s in %s", i+1, t.jobs, here, t.dir)
		if err := prepareSide(s, t.dir, first); err != nil {
			return session.Hinted(err)
		}
		if err := buildSide(ctx, s, t, do); err != nil {
			return reproFailed(ctx, dir, i, err)
		}
		built[i] = t
	}
	if err := compare(s, built); err != nil {
		return fmt.Errorf("%s is not reproducible: %w\nboth builds are kept in %s until the next `mage cache:gc`", what, err, dir)
	}
	fmt.Fprintf(s.Streams.Out, "%s: all %d outputs are the same bytes, in folders of %d and %d letters, with %d and %d jobs%s\n", what, built[0].compared(),
		len(built[0].dir), len(built[1].dir), built[0].jobs, built[1].jobs, other)
	return os.RemoveAll(dir)
}

// reproFailed keeps what a failure's logs lie in, and nothing of a build that was stopped.
func reproFailed(ctx context.Context, dir string, which int, err error) error {
	if ctx.Err() != nil {
		return errors.Join(fmt.Errorf("stopped (%w): nothing was compared, nothing is kept", ctx.Err()), os.RemoveAll(dir))
	}
	if which > 0 {
		err = fmt.Errorf("the first build was well, the second failed in its surroundings\n%w", err)
	}
	return fmt.Errorf("%w\nkept in %s until the next `mage cache:gc`", err, dir)
}

// side is one of the two builds.
type side struct {
	dir     string
	jobs    int
	here    reproEnvironment
	store   *cas.Store
	order   []string // of the steps, each after what it needs
	outputs map[string]cas.Digest
	file    string // made besides; "" is none
}

// compared is how many results there are.
func (t *side) compared() int {
	n := len(t.order)
	if t.file != "" {
		n++
	}
	return n
}

// prepareSide copies what is not built: what is known of the toolchain, and what the first build downloaded, for in
// another year no certificate is valid.
func prepareSide(s *session.Session, dir, first string) error {
	copies := []struct{ from, to string }{{s.Config.Toolchains(), filepath.Join(dir, "toolchains")}}
	if dir != first {
		copies = append(copies, struct{ from, to string }{filepath.Join(first, "cargo-home"), filepath.Join(dir, "cargo-home")})
	}
	for _, c := range copies {
		if err := os.MkdirAll(c.to, 0o755); err != nil {
			return err
		}
		if err := os.CopyFS(c.to, os.DirFS(c.from)); err != nil {
			return err
		}
	}
	return nil
}

// buildSide builds with a cache and an out/ of its own.
func buildSide(ctx context.Context, s *session.Session, t *side, do construct) error {
	own, err := withCache(s, t.dir, t.jobs)
	if err != nil {
		return err
	}
	own.Config.OutDir = filepath.Join(t.dir, "out")
	var all []*session.Built
	as := session.BuildOptions{Around: t.here.Surroundings, Done: func(_ context.Context, b *session.Built) error { all = append(all, b); return nil }}
	if t.file, err = do(ctx, own, as); err != nil {
		return err
	}
	t.store = own.Store
	for _, b := range all {
		order, err := graph.Order(b.Roots)
		if err != nil {
			return err
		}
		for _, n := range order {
			if _, seen := t.outputs[n.ID]; !seen {
				t.order = append(t.order, n.ID)
			}
			t.outputs[n.ID] = b.Summary.Outputs[n]
		}
	}
	return nil
}

// compare returns the first difference of two builds as an error.
func compare(s *session.Session, built [2]*side) error {
	for _, n := range built[0].order {
		a, b := built[0].outputs[n], built[1].outputs[n]
		if a != b {
			return fmt.Errorf("%s gave other bytes the second time\n%w", n, difference(s, built, a, b))
		}
	}
	if built[0].file == "" {
		return nil
	}
	d, differ, err := firstInFiles(built[0].file, built[1].file)
	if err != nil {
		return err
	}
	if differ {
		return fmt.Errorf("what it is made of is the same, its own bytes are not\n  %s: %s\n  files in it: `mage image:diff -img=%s -against=%s`", filepath.Base(built[0].file), d,
			built[0].file, built[1].file)
	}
	return nil
}

// firstInFiles compares files that may be too large for the memory.
func firstInFiles(a, b string) (d bytediff.Difference, differ bool, err error) {
	var files [2]*os.File
	for i, name := range []string{a, b} {
		if files[i], err = os.Open(name); err != nil {
			return d, false, err
		}
		defer files[i].Close()
	}
	const piece = 1 << 20
	x, y := make([]byte, piece), make([]byte, piece)
	for at := int64(0); ; at += piece {
		n, errX := io.ReadFull(files[0], x)
		m, errY := io.ReadFull(files[1], y)
		for _, err := range []error{errX, errY} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return d, false, err
			}
		}
		if d, differ = bytediff.First(x[:n], y[:m]); differ {
			d.Offset += at
			return d, true, nil
		}
		if n < piece {
			return d, false, nil
		}
	}
}

// withCache is this session on another cache and with a memory of its own.
func withCache(s *session.Session, cache string, jobs int) (*session.Session, error) {
	cfg := *s.Config
	cfg.Cache, cfg.Jobs = cache, jobs
	store, err := cas.Open(filepath.Join(cache, "cas"))
	if err != nil {
		return nil, err
	}
	own := *s
	own.Config, own.Store = &cfg, store
	own.Actions = action.OpenCache(filepath.Join(cache, "actions"))
	own.Stats = store.OpenStatCache(filepath.Join(cache, "stats"))
	own.History = graph.OpenHistory(filepath.Join(cache, "nodes"))
	return &own, nil
}

// difference describes the first file in which two output trees differ.
func difference(s *session.Session, built [2]*side, a, b cas.Digest) error {
	one, err := built[0].store.LoadTree(a)
	if err != nil {
		return err
	}
	two, err := built[1].store.LoadTree(b)
	if err != nil {
		return err
	}
	all := cas.Diff(one, two)
	if len(all) == 0 {
		return errors.New("  the trees differ only in how they are encoded")
	}
	first := all[0]
	if first.Kind != "changed" || first.Old.Digest == first.New.Digest {
		return fmt.Errorf("  %s: %s", first.Path, first.Kind)
	}
	x, err := built[0].store.ReadAll(first.Old.Digest)
	if err != nil {
		return err
	}
	y, err := built[1].store.ReadAll(first.New.Digest)
	if err != nil {
		return err
	}
	d, _ := bytediff.First(x, y)
	return fmt.Errorf("  %s (%d and %d bytes): %s", first.Path, len(x), len(y), d)
}

// elapsed is how long f took.
func elapsed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}
