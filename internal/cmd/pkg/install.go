package pkg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// SystemFlags says which installed system is meant.
type SystemFlags struct {
	Root  string // a folder; it is made if it is not there
	Image string // "" without a Root is out/<target>/pure-rust.img
}

// InstallFlags say how to install.
type InstallFlags struct {
	SystemFlags
	packages.Choice
	// Force installs without the libraries that programs need, over files of others, and what is installed already.
	Force bool
}

// Install installs packages and all they depend on, in one step.
func Install(ctx context.Context, s *session.Session, names string, f InstallFlags) error {
	wanted, err := packages.ParseNames(names)
	if err != nil {
		return err
	}
	return onSystem(ctx, s, f.SystemFlags, func(sys *packages.System) error {
		return packages.WithClient(s, f.Choice, func(c *pkgrepo.Client) error {
			state, err := sys.State()
			if err != nil {
				return err
			}
			plan, err := c.Resolve(ctx, wanted, state.Has)
			if err != nil {
				return err
			}
			if !f.Force && allThere(plan, state) {
				s.Say("%s: installed already: %s", sys.Name, names)
				return nil
			}
			return installPlan(ctx, s, c, sys, plan, f)
		})
	})
}

// allThere reports whether all of a plan is there, as something that was asked for.
func allThere(plan *pkgrepo.Plan, state *pkgrepo.State) bool {
	for i := range plan.Packages {
		p := &plan.Packages[i]
		if have, ok := state.Installed[p.Name]; !ok || have.Blake3 != p.Blake3 || p.Round == 1 && !have.Manual {
			return false
		}
	}
	return true
}

// Upgrade replaces the installed packages of which their repository has another archive now.
func Upgrade(ctx context.Context, s *session.Session, f InstallFlags) error {
	return onSystem(ctx, s, f.SystemFlags, func(sys *packages.System) error {
		return packages.WithClient(s, f.Choice, func(c *pkgrepo.Client) error {
			state, err := sys.State()
			if err != nil {
				return err
			}
			indexes, err := c.Indexes(ctx)
			if err != nil {
				return err
			}
			names := state.Upgrades(indexes)
			if len(names) == 0 {
				s.Say("%s: all %d packages are as their repositories have them%s", sys.Name, len(state.Installed), elsewhere(state, indexes))
				return nil
			}
			plan, err := c.Resolve(ctx, names, state.Has)
			if err != nil {
				return err
			}
			if err := sameRepositories(plan, state); err != nil {
				return err
			}
			// Round 1 would be recorded as asked for by the user; what was installed as a dependency stays one.
			for i := range plan.Packages {
				plan.Packages[i].Round++
			}
			return installPlan(ctx, s, c, sys, plan, f)
		})
	})
}

// elsewhere names the repositories of installed packages that were not asked.
func elsewhere(state *pkgrepo.State, asked []pkgrepo.RepoIndex) string {
	others := map[string]bool{}
	for _, p := range state.Installed {
		others[p.Remote] = true
	}
	for _, x := range asked {
		delete(others, x.Repo)
	}
	if len(others) == 0 {
		return ""
	}
	return "; not asked, since neither -repo nor " + packages.RepositoriesFile + " names them: " + strings.Join(ui.Printables(packages.SortedNames(others)), ", ")
}

// sameRepositories refuses to take the next version of a package from somebody else.
func sameRepositories(plan *pkgrepo.Plan, state *pkgrepo.State) error {
	for i := range plan.Packages {
		p := &plan.Packages[i]
		if have, ok := state.Installed[p.Name]; ok && have.Remote != p.Repo {
			return fmt.Errorf("package %s was installed from %s and %s is asked before it; put %s first, or install the package anew: `mage pkg:install %s`",
				p.Name, ui.Printable(have.Remote), p.Repo, ui.Printable(have.Remote), p.Name)
		}
	}
	return nil
}

// installPlan fetches a plan, checks libraries and changes the system.
func installPlan(ctx context.Context, s *session.Session, c *pkgrepo.Client, sys *packages.System, plan *pkgrepo.Plan, f InstallFlags) error {
	if s.Config.DryRun {
		return packages.Print(s, plan)
	}
	fetched, err := c.Fetch(ctx, plan)
	if err != nil {
		return err
	}
	if !f.Force {
		have, err := sys.Libraries(fetched)
		if err != nil {
			return err
		}
		if err := c.CheckLibraries(ctx, fetched, have); err != nil {
			return fmt.Errorf("%s is as it was: %w", sys.Name, errs.One(err))
		}
		if err := sys.KeepsLibraries(ctx, packages.NamesOf(fetched), pkgrepo.Libraries(fetched)); err != nil {
			return fmt.Errorf("%s is as it was: %w", sys.Name, errs.One(err))
		}
	}
	applied, err := sys.Apply(ctx, pkgrepo.Change{Install: fetched, Force: f.Force, Downgrade: f.Downgrade})
	if err != nil {
		return fmt.Errorf("%s is as it was: %w", sys.Name, errs.One(err))
	}
	_, storage := plan.Size()
	sys.Done = func() { sayApplied(s, sys.Name, applied, fmt.Sprintf(" (%s)", ui.Bytes(int64(storage)))) }
	return nil
}

// Remove removes packages and those that were installed only for them. Unless force is set, nothing is removed that has a
// library which a program that stays needs.
func Remove(ctx context.Context, s *session.Session, names string, where SystemFlags, force bool) error {
	unwanted, err := packages.ParseNames(names)
	if err != nil {
		return err
	}
	return onSystem(ctx, s, where, func(sys *packages.System) error {
		state, err := sys.State()
		if err != nil {
			return err
		}
		gone, err := state.Remove(unwanted)
		if err != nil {
			return packages.WithHint(fmt.Errorf("%s is as it was: %w", sys.Name, errs.One(err)))
		}
		if !force {
			if err := sys.KeepsLibraries(ctx, gone, nil); err != nil {
				return packages.WithHint(fmt.Errorf("%s is as it was: %w", sys.Name, errs.One(err)))
			}
		}
		if s.Config.DryRun {
			fmt.Fprintln(s.Streams.Out, packages.JoinNames(gone))
			return nil
		}
		applied, err := sys.Apply(ctx, pkgrepo.Change{Remove: unwanted})
		if err != nil {
			return packages.WithHint(fmt.Errorf("%s is as it was: %w", sys.Name, errs.One(err)))
		}
		sys.Done = func() { sayApplied(s, sys.Name, applied, "") }
		return nil
	})
}

func sayApplied(s *session.Session, name string, a *pkgrepo.Applied, more string) {
	if len(a.Installed) > 0 {
		s.Say("%s: installed %s%s", name, packages.JoinNames(a.Installed), more)
	}
	if len(a.Removed) > 0 {
		s.Say("%s: removed %s", name, packages.JoinNames(a.Removed))
	}
	if len(a.Kept) > 0 {
		s.Say("  changed since they were installed, and left alone: %s", strings.Join(ui.Printables(a.Kept), ", "))
	}
}

// onSystem does something with an installed system.
func onSystem(ctx context.Context, s *session.Session, where SystemFlags, do func(*packages.System) error) error {
	if where.Root != "" && where.Image != "" {
		return errors.New("-root is a folder and -image an image: give one of them")
	}
	sys := &packages.System{Name: where.Root, Root: where.Root}
	var err error
	if where.Root != "" {
		err = do(sys)
	} else {
		err = onImage(ctx, s, where.Image, sys, do)
	}
	if err == nil && sys.Done != nil {
		sys.Done()
	}
	return err
}
