package prepare

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// fetchVersion is raised to have everything fetched again.
const fetchVersion = 1

// Fetch is the nodes that bring everything the recipes need to this machine: sources, the crates their
// lock files name, and the crates of the standard library. After them builds work offline.
func (s *Sources) Fetch(names []string) ([]*graph.Node, error) {
	std, err := s.fetchStd()
	if err != nil {
		return nil, err
	}
	nodes := []*graph.Node{std}
	for _, name := range names {
		ws, err := s.Workspace(name)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, ws.Node)
		r, err := s.recipe(name)
		if err != nil {
			return nil, err
		}
		if !r.UsesCargo() {
			continue
		}
		crates, err := s.fetchCrates(r, ws.Node)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, crates)
	}
	return graph.Unique(nodes), nil
}

// fetchCrates downloads the crates of one workspace into cargo's home.
func (s *Sources) fetchCrates(r *recipe.Recipe, ws *graph.Node) (*graph.Node, error) {
	return s.nodes.Once(r.Name+"/crates", func(n *graph.Node) error {
		n.Deps = []*graph.Node{ws}
		n.Light, n.Local = true, true // it is about this machine's home of cargo
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			return s.fetchAction(r.Cargo.Dir, in[ws])
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			out, err := s.edited(ctx, job.Action.Inputs, func(dir string) error {
				manifest := filepath.Join(dir, "src", filepath.FromSlash(r.Cargo.Dir), "Cargo.toml")
				if err := s.cargoFetch(ctx, job, dir, manifest); err != nil {
					return err
				}
				// Only that the crates are there now is wanted, not the tree.
				return os.RemoveAll(filepath.Join(dir, "src"))
			})
			if src, ok, _ := s.o.Store.Lookup(job.Action.Inputs, "src"); ok {
				err = s.Explain(ctx, r, src.Digest, r.Cargo.Dir, err)
			}
			return out, err
		}
		return nil
	})
}

// fetchStd downloads the crates of the standard library.
func (s *Sources) fetchStd() (*graph.Node, error) {
	return s.nodes.Once("std/crates", func(n *graph.Node) error {
		n.Light, n.Local = true, true // it is about this machine's home of cargo
		n.Plan = func(context.Context, graph.Outputs) (*action.Action, error) {
			empty, err := s.o.Store.Compose(nil, nil)
			if err != nil {
				return nil, err
			}
			return s.fetchAction("", empty)
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return s.edited(ctx, job.Action.Inputs, func(dir string) error {
				return s.cargoFetch(ctx, job, dir, path.Join(toolenv.RustSrc, "library/Cargo.toml"))
			})
		}
		return nil
	})
}

func (s *Sources) fetchAction(dir string, inputs cas.Digest) (*action.Action, error) {
	home, err := cargoHomeID(s.o.CargoHome)
	if err != nil {
		return nil, err
	}
	a := action.Builtin("fetch-crates", fetchVersion, dir)
	a.Inputs = inputs
	a.Platform = s.platform()
	a.Platform["cargo-home"] = home
	return a, nil
}

func (s *Sources) cargoFetch(ctx context.Context, job *graph.Job, dir, manifest string) error {
	if s.o.Offline {
		return errors.New("`mage fetch` downloads: it cannot be used with -offline")
	}
	job.Status("cargo fetch")
	return s.cargo(ctx, job.Log, dir, "fetch", "--locked", "--manifest-path", manifest)
}

// cargoHomeID names this very cargo home: what was downloaded into one that has been removed counts no more.
func cargoHomeID(home string) (string, error) {
	path := filepath.Join(home, "redox-clif-id")
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	text := hex.EncodeToString(id[:])
	if err := renameio.WriteFile(path, []byte(text+"\n"), 0o644, renameio.WithTempDir(home)); err != nil {
		return "", fmt.Errorf("marking cargo's home: %w", err)
	}
	return text, nil
}
