package pkg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Fetch gets packages and all they depend on, checked, into the cache, from where they can be installed offline; with
// out also as NAME.pkgar into a folder.
func Fetch(ctx context.Context, s *session.Session, names, out string, choice packages.Choice) error {
	wanted, err := packages.ParseNames(names)
	if err != nil {
		return err
	}
	fetched, err := packages.Fetch(ctx, s, wanted, choice)
	if err != nil || out == "" {
		return err
	}
	return copyArchives(fetched, out)
}

func copyArchives(fetched []pkgrepo.Fetched, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range fetched {
		if fetched[i].IsMeta() {
			continue
		}
		if err := packages.CopyFile(fetched[i].File, filepath.Join(dir, string(fetched[i].Name)+".pkgar")); err != nil {
			return err
		}
	}
	return nil
}

// Search lists the packages whose names contain a text.
func Search(ctx context.Context, s *session.Session, text, repo string) error {
	return packages.WithClient(s, packages.Choice{Repo: repo}, func(c *pkgrepo.Client) error {
		found, err := c.Search(ctx, text)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("no package's name contains %q; `mage pkg:search \"\"` lists all of them", text)
		}
		rows := [][]string{{"PACKAGE", "REPOSITORY", "ENTRY TABLE"}}
		for _, m := range found {
			hash := "metapackage"
			if m.Hash != "" {
				hash = m.Hash[:min(16, len(m.Hash))]
			}
			rows = append(rows, []string{string(m.Name), m.Repo, hash})
		}
		return ui.Table(s.Streams.Out, rows)
	})
}

// Info prints the description of a package.
func Info(ctx context.Context, s *session.Session, name, repo string) error {
	n, err := pkgrepo.ParseName(name)
	if err != nil {
		return err
	}
	return packages.WithClient(s, packages.Choice{Repo: repo}, func(c *pkgrepo.Client) error {
		p, err := c.Info(ctx, n)
		if err != nil {
			return err
		}
		var depends []string
		for _, d := range p.Depends {
			depends = append(depends, string(d))
		}
		rows := [][]string{
			{"name", p.Package.Name}, {"version", p.Version}, {"target", p.Target}, {"repository", p.Repo},
			{"depends", strings.Join(depends, ", ")}, {"archive", ui.Bytes(int64(p.NetworkSize))}, {"files", ui.Bytes(int64(p.StorageSize))},
			{"entry table", p.Blake3}, {"source", p.SourceIdentifier}, {"patches", p.PatchIdentifier}, {"recipes", p.CommitIdentifier}, {"time", p.TimeIdentifier},
		}
		if p.IsMeta() {
			rows[1][1] = "none: a metapackage, it consists of its dependencies"
		}
		for i := range rows {
			rows[i][1] = ui.Dash(rows[i][1])
		}
		return ui.Table(s.Streams.Out, rows)
	})
}

// Tree prints packages and below them what they depend on.
func Tree(ctx context.Context, s *session.Session, names, repo string) error {
	wanted, err := packages.ParseNames(names)
	if err != nil {
		return err
	}
	return packages.WithClient(s, packages.Choice{Repo: repo}, func(c *pkgrepo.Client) error {
		plan, err := c.Resolve(ctx, wanted, nil)
		if err != nil {
			return err
		}
		t := &packageTree{s: s, plan: plan, shown: map[pkgrepo.Name]bool{}}
		for _, n := range wanted {
			t.print(n, 0)
		}
		return nil
	})
}

// packageTree prints the dependencies of a package once, so that cycles end.
type packageTree struct {
	s     *session.Session
	plan  *pkgrepo.Plan
	shown map[pkgrepo.Name]bool
}

func (t *packageTree) print(name pkgrepo.Name, depth int) {
	p := t.plan.Get(name)
	again := ""
	if t.shown[name] && len(p.Depends) > 0 {
		again = " (see above)"
	}
	fmt.Fprintf(t.s.Streams.Out, "%s%s %s%s\n", strings.Repeat("  ", depth), name, ui.Dash(p.Version), again)
	if t.shown[name] {
		return
	}
	t.shown[name] = true
	for _, d := range p.Depends {
		t.print(d, depth+1)
	}
}
