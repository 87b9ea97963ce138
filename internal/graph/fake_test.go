package graph

import (
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// world is an engine on a store of its own, with nodes that write small files and an observer that
// remembers.
type world struct {
	*Engine
	t   *testing.T
	mu  sync.Mutex
	ran []string // IDs in the order in which their Run began
	log []string // what the observer was told
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return worldIn(t, t.TempDir())
}

// worldIn shares a cache folder with other worlds.
func worldIn(t *testing.T, dir string) *world {
	t.Helper()
	store, err := cas.Open(filepath.Join(dir, "cas"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	state := t.TempDir()
	w.Engine = &Engine{
		Store: store, Cache: action.OpenCache(filepath.Join(dir, "actions")), History: OpenHistory(filepath.Join(state, "nodes")),
		LogDir: filepath.Join(state, "log"), LockDir: filepath.Join(dir, "locks"), Jobs: 4, Observer: w, Now: time.Now,
	}
	return w
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *world) Begin(nodes []*Node) { w.note("begin %d", len(nodes)) }
func (w *world) Started(n *Node, reason string, _ time.Duration) {
	w.note("start %s: %s", n.ID, reason)
}
func (w *world) Status(*Node, string)        {}
func (w *world) Waited(*Node, time.Duration) {}
func (w *world) Finished(n *Node, o Outcome, _ time.Duration, err error) {
	w.note("%s %s", n.ID, o)
}
func (w *world) Notice(line string) { w.note("notice %s", line) }

// takeRan returns what ran since the last call, sorted.
func (w *world) takeRan() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := append([]string(nil), w.ran...)
	w.ran = nil
	sort.Strings(got)
	return strings.Join(got, " ")
}

// step is a node whose output is made by f from the texts of its dependencies. config is part of
// its action.
func (w *world) step(id string, config *string, deps []*Node, f func(ctx context.Context, texts []string) (string, error)) *Node {
	n := &Node{ID: id, Deps: deps}
	n.Plan = func(_ context.Context, in Outputs) (*action.Action, error) {
		d := &cas.Directory{}
		for i, dep := range deps {
			d.Dirs = append(d.Dirs, cas.DirNode{Name: fmt.Sprint(i), Digest: in[dep]})
		}
		inputs, err := w.Store.PutDirectory(d)
		return &action.Action{Args: []string{"make", id, *config}, Inputs: inputs}, err
	}
	n.Run = func(ctx context.Context, job *Job) (cas.Digest, error) {
		w.mu.Lock()
		w.ran = append(w.ran, id)
		w.mu.Unlock()
		var texts []string
		for _, dep := range deps {
			text, err := w.text(job.Inputs[dep])
			if err != nil {
				return cas.Digest{}, err
			}
			texts = append(texts, text)
		}
		text, err := f(ctx, texts)
		if err != nil {
			return cas.Digest{}, err
		}
		return w.put(text)
	}
	return n
}

// concat is a step whose output is its config and what went in.
func (w *world) concat(id string, config *string, deps ...*Node) *Node {
	return w.step(id, config, deps, func(_ context.Context, texts []string) (string, error) {
		return *config + "(" + strings.Join(texts, ",") + ")", nil
	})
}

func (w *world) put(text string) (cas.Digest, error) {
	d, err := w.Store.PutBytes([]byte(text))
	if err != nil {
		return cas.Digest{}, err
	}
	return w.Store.PutDirectory(&cas.Directory{Files: []cas.FileNode{{Name: "f", Digest: d}}})
}

func (w *world) text(out cas.Digest) (string, error) {
	e, _, err := w.Store.Lookup(out, "f")
	if err != nil {
		return "", err
	}
	b, err := w.Store.ReadAll(e.Digest)
	return string(b), err
}

// build builds and returns the text of the first root.
func (w *world) build(roots ...*Node) string {
	w.t.Helper()
	sum, err := w.Build(w.t.Context(), roots)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := w.text(sum.Outputs[roots[0]])
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func ptr(s string) *string { return &s }
