package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/test/wants"
)

// A small build: a folder of the user's, a library that all steps share, and a program that is compiled in a lasting folder, whose tool
// believes its own state. It has every kind of file of a cache but fetched sources, which are verified when they are used.
type smallBuild struct {
	t      *testing.T
	dir    string // has cache and checkout
	source string // a folder of the user's
	null   *os.File
}

func newSmallBuild(t *testing.T) *smallBuild {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	b := &smallBuild{t: t, dir: t.TempDir(), source: t.TempDir(), null: null}
	for name, text := range map[string]string{"main": "main\n", "deep/part": "part\n"} {
		path := filepath.Join(b.source, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // so that the stat cache believes what it sees
	return b
}

func (b *smallBuild) open() (*Session, error) {
	cfg := &config.Config{Root: filepath.Join(b.dir, "checkout"), Cache: filepath.Join(b.dir, "cache"), Target: config.DefaultTarget, Jobs: 1}
	return open(cfg, Streams{Err: b.null, Out: b.null})
}

// compile is what the tool does: what it has compiled it does not look at again.
const compile = `mkdir -p target/deps; test -f target/deps/part.o || sed 's/^/compiled /' src/deep/part >target/deps/part.o
cat src/main target/deps/part.o lib/lib >out/program; ls -l src/main | cut -c1-10 >>out/program`

// nodes are the steps.
func (b *smallBuild) nodes(s *Session, r *execroot.Runner) (lib, program *graph.Node) {
	env := map[string]string{"PATH": "/usr/bin:/bin"}
	trusted := true
	src := &graph.Node{ID: "small/source"}
	src.Plan = func(ctx context.Context, _ graph.Outputs) (*action.Action, error) {
		d, err := s.Store.PutFolder(ctx, b.source, cas.CaptureOptions{Stats: s.Stats, Store: true, Volatile: true, Trusted: trusted})
		trusted = false
		return &action.Action{Args: []string{"builtin:source/1"}, Inputs: d}, err
	}
	src.Run = func(_ context.Context, job *graph.Job) (cas.Digest, error) { return job.Action.Inputs, nil }
	step := func(id, script, out string, inputs map[string]*graph.Node, spec execroot.Spec) *graph.Node {
		n := &graph.Node{ID: id, Deps: slices.Collect(maps.Values(inputs))}
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			dirs := map[string]cas.Digest{}
			for name, dep := range inputs {
				dirs[name] = in[dep]
			}
			root, err := s.Store.Compose(dirs, nil)
			return &action.Action{Args: []string{"/bin/sh", "-ec", script}, Env: env, Outputs: []string{"out/" + out}, Inputs: root}, err
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			spec := spec
			spec.Action, spec.Log, spec.LogPath = job.Action, job.Log, job.LogPath
			return r.Run(ctx, spec, func(ctx context.Context, root string) (*cas.Tree, error) {
				return s.Store.Capture(ctx, filepath.Join(root, "out"), cas.CaptureOptions{Store: true, Volatile: true})
			})
		}
		return n
	}
	lib = step("small/lib", "sed 's/^/library of /' src/main >out/lib", "lib", map[string]*graph.Node{"src": src}, execroot.Spec{})
	program = step("small/program", compile, "program", map[string]*graph.Node{"src": src, "lib": lib},
		execroot.Spec{Key: "small.program/key", State: []string{"target"}, Shared: []string{"lib"}})
	return lib, program
}

// run builds and exports, as a target does, and returns the program.
func (b *smallBuild) run(ctx context.Context) (string, error) {
	out := filepath.Join(b.dir, "checkout", "out", "program")
	if err := os.RemoveAll(out); err != nil {
		return "", err
	}
	err := Run(b.open, func(s *Session) error {
		unlock, err := s.Lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
		r := &execroot.Runner{Store: s.Store, Dir: s.Config.Work()}
		defer r.Close()
		s.Sweep()
		_, program := b.nodes(s, r)
		sum, err := s.engine(Quiet{}).Build(ctx, []*graph.Node{program})
		if err := errors.Join(err, s.Stats.Save()); err != nil {
			return err
		}
		return s.Store.Materialise(ctx, sum.Outputs[program], out, nil, nil)
	})
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(out, "program"))
	return string(text), err
}

// files are those of the cache and of what the checkout remembers.
func (b *smallBuild) files() []string {
	var all []string
	for _, top := range []string{"cache", "checkout"} {
		err := filepath.WalkDir(filepath.Join(b.dir, top), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && !strings.Contains(path, "/out/program/") {
				rel, _ := filepath.Rel(b.dir, path)
				all = append(all, rel)
			}
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return all
}

// damages are what can become of a file. Each is told the file's inode as it was.
var damages = map[string]func(path string, was fs.FileInfo) error{
	"flipped": func(path string, _ fs.FileInfo) error { return flip(path) },
	"flipped, with its old time": func(path string, was fs.FileInfo) error {
		return errors.Join(flip(path), os.Chtimes(path, was.ModTime(), was.ModTime()))
	},
	"cut": func(path string, was fs.FileInfo) error {
		return errors.Join(os.Truncate(path, was.Size()/2), os.Chtimes(path, was.ModTime(), was.ModTime()))
	},
	"grown": func(path string, was fs.FileInfo) error {
		return errors.Join(os.Truncate(path, was.Size()+10), os.Chtimes(path, was.ModTime(), was.ModTime()))
	},
	"emptied": func(path string, _ fs.FileInfo) error { return os.Truncate(path, 0) },
	"removed": func(path string, _ fs.FileInfo) error { return os.Remove(path) },
	"folder":  func(path string, _ fs.FileInfo) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
	"full folder": func(path string, _ fs.FileInfo) error {
		return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "a", "b"), 0o500))
	},
	"pipe": func(path string, _ fs.FileInfo) error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o644)) },
	"dangling link": func(path string, _ fs.FileInfo) error {
		return errors.Join(os.Remove(path), os.Symlink("nowhere", path))
	},
	"loop": func(path string, _ fs.FileInfo) error {
		return errors.Join(os.Remove(path), os.Symlink(filepath.Base(path), path))
	},
	"link to another": func(path string, was fs.FileInfo) error {
		other := path + ".other"
		return errors.Join(os.Remove(path), os.WriteFile(other, make([]byte, was.Size()), 0o644), os.Chtimes(other, was.ModTime(), was.ModTime()), os.Symlink(other, path))
	},
	"socket":            socket,
	"unusable":          func(path string, _ fs.FileInfo) error { return os.Chmod(path, 0) },
	"a program for all": func(path string, _ fs.FileInfo) error { return os.Chmod(path, 0o777) },
}

func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return err
	}
	b[len(b)/2] ^= 1
	return errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, b, 0o644))
}

// socket is made by its name in its folder: the names of sockets are short.
func socket(path string, _ fs.FileInfo) error {
	short, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(short)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "s")})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return errors.Join(l.Close(), os.Rename(filepath.Join(short, "s"), path))
}

// anew are what is done besides: the results that are forgotten, so that the steps run again in what is kept for them.
var anew = map[string]bool{"nothing else": false, "all steps run again": true}

// After any damage to any file of the cache the next run gives the same bytes, without an error and without waiting for anybody.
func TestAnyDamageHeals(t *testing.T) {
	b := newSmallBuild(t)
	want, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Once more, so that everything is remembered that will be.
	if again, err := b.run(t.Context()); err != nil || again != want {
		t.Fatal(again, err)
	}
	good := filepath.Join(t.TempDir(), "good")
	copyTree(t, b.dir, good)
	type one struct{ file, damage, besides string }
	var all []one
	for _, file := range b.files() {
		for _, damage := range slices.Sorted(maps.Keys(damages)) {
			for _, besides := range slices.Sorted(maps.Keys(anew)) {
				all = append(all, one{file, damage, besides})
			}
		}
	}
	rand.New(rand.NewSource(1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	const sample = 60
	if wants.Damage.Given() != "all" {
		t.Logf("%d of %d damages; %s=%s for all", sample, len(all), wants.Damage.Name, wants.Damage.Value)
		all = all[:sample]
	}
	for _, c := range all {
		copyTree(t, good, b.dir)
		b.damage(c.file, c.damage, anew[c.besides])
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		got, err := within(ctx, func() (string, error) { return b.run(ctx) })
		cancel()
		if err != nil || got != want {
			t.Errorf("%s: %s, %s: %v\n%s", c.file, c.damage, c.besides, err, got)
		}
	}
}

func (b *smallBuild) damage(file, kind string, again bool) {
	b.t.Helper()
	path := filepath.Join(b.dir, file)
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() {
		err = damages[kind](path, info)
	} else if err == nil {
		err = errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o644)) // the link to what is shared
	}
	if again {
		err = errors.Join(err, os.RemoveAll(filepath.Join(b.dir, "cache", "actions")))
	}
	if err != nil {
		b.t.Fatalf("%s: %s: %v", file, kind, err)
	}
}

// within ends with ctx, also when f does not.
func within(ctx context.Context, f func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := f()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", fmt.Errorf("it hangs: %w", ctx.Err())
	}
}

// copyTree makes to equal to from, with times and rights.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		dst := filepath.Join(to, rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			return os.MkdirAll(dst, info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(target, dst))
		}
		text, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(dst, text, 0o644), os.Chmod(dst, info.Mode().Perm()), os.Chtimes(dst, info.ModTime(), info.ModTime()))
	})
	if err != nil {
		t.Fatal(err)
	}
}
