package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Build builds one recipe and writes its staged tree and manifest to out/<target>/<name>/.
func Build(ctx context.Context, s *session.Session, name string) error {
	r, err := s.Recipe(name)
	if err != nil {
		return err
	}
	built, err := s.Build(ctx, session.BuildOptions{FallBack: session.IsDemo(r)}, func(b *builder.Builder) ([]*graph.Node, error) {
		stage, err := b.Stage(name)
		if err != nil || r.Initfs == nil {
			return []*graph.Node{stage}, err
		}
		image, err := b.Initfs(name)
		return []*graph.Node{stage, image}, err
	})
	if err != nil || built == nil {
		return err
	}
	dir := filepath.Join(s.Config.Out(), name)
	if err := s.Export(ctx, built.Output(0), dir); err != nil {
		return err
	}
	s.Say("%s: staged in %s", name, s.Relative(filepath.Join(dir, "root")))
	s.KeepUnchanged(built)
	return nil
}

// listed is a recipe in the listing.
type listed struct {
	Name        string   `json:"name"`
	Backends    []string `json:"backends"` // of its steps; "host" for what runs on this machine
	Source      string   `json:"source"`
	Description string   `json:"description"`
	// Sets are the release sets in which something differs.
	Sets []string `json:"sets,omitempty"`
}

// List lists the recipes with what compiles them and their source.
func List(s *session.Session, asJSON bool) error {
	recipes, err := s.Recipes()
	if err != nil {
		return err
	}
	all := []listed{}
	for _, name := range recipes.Names() {
		r := recipes[name]
		all = append(all, listed{name, r.Compilers(), r.Source.Short(), r.Description, slices.Sorted(maps.Keys(r.Sets))})
	}
	if asJSON {
		return errors.Join(ui.WriteJSON(s.Streams.Out, "recipe:list", all), s.BrokenError())
	}
	rows := [][]string{{"RECIPE", "BACKEND", "SOURCE", "DIFFERS IN", "DESCRIPTION"}}
	for _, r := range all {
		rows = append(rows, []string{r.Name, ui.Dash(strings.Join(r.Backends, "+")), r.Source, ui.Dash(strings.Join(r.Sets, ",")), r.Description})
	}
	return errors.Join(ui.Table(s.Streams.Out, rows), s.BrokenError())
}

// Lock writes recipes/<name>/Cargo.lock for a source that brings none.
func Lock(ctx context.Context, s *session.Session, name string) error {
	r, err := s.Recipe(name)
	if err != nil {
		return err
	}
	var text []byte
	resolve := func(ctx context.Context, built *session.Built) (err error) {
		var log process.Excerpt
		text, err = built.Builder.Sources().Lock(ctx, r, built.Output(0), &log)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, strings.TrimSpace(log.String()))
		}
		return nil
	}
	built, err := s.Build(ctx, session.BuildOptions{FallBack: true, Done: resolve}, func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Sources().Patched(name)
		return []*graph.Node{n}, err
	})
	if err != nil || built == nil {
		return err
	}
	path := filepath.Join(r.Dir, prepare.LockName)
	if err := renameio.WriteFile(path, text, 0o644, renameio.WithTempDir(r.Dir)); err != nil {
		return err
	}
	s.Say("%s written; the recipe takes it by\n  [cargo]\n  lock = %q", s.Relative(path), prepare.LockName)
	return nil
}

// Clean forgets what was built of a recipe here: its exec roots, its results in out/ and what
// the action cache has for its steps, so that the next build does all of it again.
func Clean(ctx context.Context, s *session.Session, name string) error {
	if _, err := s.Recipe(name); err != nil {
		return err
	}
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	folders, err := s.Roots().Folders()
	if err != nil {
		return err
	}
	for _, f := range folders {
		step, _, _ := strings.Cut(s.InWork(f.Path), "/")
		if step != name && !strings.HasPrefix(step, name+".") {
			continue
		}
		if removed, err := s.Roots().Remove(f); err != nil {
			return err
		} else if !removed {
			s.Say("%s stays: something runs there", f.Path)
		}
	}
	forgotten := 0
	for _, id := range s.History.IDs() {
		if id != name && !strings.HasPrefix(id, name+"/") {
			continue
		}
		if rec := s.History.Get(id); rec != nil {
			if err := s.Actions.Forget(rec.Action.Digest()); err != nil {
				return err
			}
			forgotten++
		}
	}
	if err := os.RemoveAll(filepath.Join(s.Config.Out(), name)); err != nil {
		return err
	}
	s.Say("%s: %d results forgotten", name, forgotten)
	return nil
}

// Log prints the logs of a recipe's steps, the newest last; -step narrows it to one.
func Log(s *session.Session, name, step string) error {
	if _, err := s.Recipe(name); err != nil {
		return err
	}
	pattern := name + ".*log"
	if step != "" {
		pattern = graph.LogName(name + "/" + step)
	}
	found, err := globdir.In(s.Config.Logs(), pattern)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no log of %s in %s: it has not been built in this checkout, or its results came from the cache", name, s.Relative(s.Config.Logs()))
	}
	sort.Slice(found, func(i, j int) bool { return modTime(found[i]).Before(modTime(found[j])) })
	for _, path := range found {
		fmt.Fprintf(s.Streams.Out, "== %s\n", s.Relative(path))
		if err := copyFile(s.Streams.Out, path); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func modTime(path string) (t time.Time) {
	if info, err := os.Stat(path); err == nil {
		t = info.ModTime()
	}
	return t
}
