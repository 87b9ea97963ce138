package session

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/ui"
)

// RecipeBuild builds one recipe and writes its staged tree and manifest to out/<target>/<name>/.
func (s *Session) RecipeBuild(ctx context.Context, name string) error {
	r, err := s.recipe(name)
	if err != nil {
		return err
	}
	built, err := s.Build(ctx, BuildOptions{FallBack: isDemo(r)}, func(b *builder.Builder) ([]*graph.Node, error) {
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
	if err := s.export(ctx, built.Output(0), dir); err != nil {
		return err
	}
	s.say("%s: staged in %s", name, s.relative(filepath.Join(dir, "root")))
	return nil
}

// recipe finds a recipe or says which there are.
func (s *Session) recipe(name string) (*recipe.Recipe, error) {
	r := s.Recipes[name]
	if r == nil {
		return nil, &builder.UnknownRecipeError{Name: name, Known: s.Recipes.Names()}
	}
	return r, nil
}

// RecipeList lists the recipes with their source and when they were last built here.
func (s *Session) RecipeList() error {
	rows := [][]string{{"RECIPE", "BACKEND", "SOURCE", "DESCRIPTION"}}
	for _, name := range s.Recipes.Names() {
		r := s.Recipes[name].WithProfile(s.Config.Profile)
		rows = append(rows, []string{name, backendsOf(r), sourceOf(r), r.Description})
	}
	return ui.Table(s.Streams.Out, rows)
}

func backendsOf(r *recipe.Recipe) string {
	seen := map[string]bool{}
	for i := range r.Steps {
		st := &r.Steps[i]
		if st.Kind == "cargo" || st.Kind == "rustc" {
			word := string(st.BackendOrDefault())
			if st.Target == "host" {
				word = "host"
			}
			seen[word] = true
		}
	}
	var words []string
	for w := range seen {
		words = append(words, w)
	}
	sort.Strings(words)
	return dash(strings.Join(words, "+"))
}

func sourceOf(r *recipe.Recipe) string {
	s := r.Source
	switch {
	case s.SameAs != "":
		return "same as " + s.SameAs
	case s.Git != "":
		return strings.TrimSuffix(strings.TrimPrefix(s.Git, "https://"), ".git") + "@" + s.Commit[:9]
	case s.Archive != "":
		return s.Archive
	case s.Crate != "":
		return "crate " + s.Crate + " " + s.Version
	}
	return "this repository"
}

// RecipeLock writes recipes/<name>/Cargo.lock for a source that brings none.
func (s *Session) RecipeLock(ctx context.Context, name string) error {
	r, err := s.recipe(name)
	if err != nil {
		return err
	}
	built, err := s.Build(ctx, BuildOptions{FallBack: true}, func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Patched(name)
		return []*graph.Node{n}, err
	})
	if err != nil || built == nil {
		return err
	}
	var log bytes.Buffer
	text, err := built.Builder.Lock(ctx, r.WithProfile(s.Config.Profile), built.Output(0), &log)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(log.Bytes()))
	}
	path := filepath.Join(r.Dir, builder.LockName)
	if err := renameio.WriteFile(path, text, 0o644, renameio.WithTempDir(r.Dir)); err != nil {
		return err
	}
	s.say("%s written; the recipe takes it by\n  [cargo]\n  lock = %q", s.relative(path), builder.LockName)
	return nil
}

// RecipeClean forgets what was built of a recipe here: its exec roots, its results in out/ and what
// the action cache has for its steps, so that the next build does all of it again.
func (s *Session) RecipeClean(ctx context.Context, name string) error {
	if _, err := s.recipe(name); err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	folders, err := s.roots().Folders()
	if err != nil {
		return err
	}
	for _, f := range folders {
		step, _, _ := strings.Cut(s.inWork(f.Path), "/")
		if step != name && !strings.HasPrefix(step, name+".") {
			continue
		}
		if removed, err := s.roots().Remove(f); err != nil {
			return err
		} else if !removed {
			s.say("%s stays: something runs there", f.Path)
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
	s.say("%s: %d results forgotten", name, forgotten)
	return nil
}

// RecipeLog prints the logs of a recipe's steps, the newest last; -step narrows it to one.
func (s *Session) RecipeLog(name, step string) error {
	if _, err := s.recipe(name); err != nil {
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
		return fmt.Errorf("no log of %s in %s: it has not been built in this checkout, or its results came from the cache", name, s.relative(s.Config.Logs()))
	}
	sort.Slice(found, func(i, j int) bool { return modTime(found[i]).Before(modTime(found[j])) })
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Streams.Out, "== %s\n%s", s.relative(path), text)
	}
	return nil
}

func modTime(path string) (t time.Time) {
	if info, err := os.Stat(path); err == nil {
		t = info.ModTime()
	}
	return t
}

// Fetch brings everything that recipes need to this machine; without names, all of them.
func (s *Session) Fetch(ctx context.Context, names ...string) error {
	all := len(names) == 0
	if all {
		names = s.Recipes.Names()
	}
	_, err := s.Build(ctx, BuildOptions{FallBack: true}, func(b *builder.Builder) ([]*graph.Node, error) { return b.Fetch(names) })
	if err != nil || !all {
		return err
	}
	return s.fetchImagePackages(ctx)
}
