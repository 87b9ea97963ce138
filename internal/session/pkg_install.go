package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/ui"
)

// PkgSystem says which installed system is meant.
type PkgSystem struct {
	Root  string // a folder; it is made if it is not there
	Image string // "" without a Root is out/<target>/pure-rust.img
}

// PkgInstallFlags say how to install.
type PkgInstallFlags struct {
	PkgSystem
	Repo string
	// Force installs without the libraries that programs need, over files of others, and what is installed already.
	Force bool
}

// PkgInstall installs packages and all they depend on, in one step.
func (s *Session) PkgInstall(ctx context.Context, names string, f PkgInstallFlags) error {
	wanted, err := packageNames(names)
	if err != nil {
		return err
	}
	return s.onSystem(ctx, f.PkgSystem, func(sys *system) error {
		return s.withClient(f.Repo, func(c *pkgrepo.Client) error {
			state, err := sys.state()
			if err != nil {
				return err
			}
			plan, err := c.Resolve(ctx, wanted, state.Has)
			if err != nil {
				return err
			}
			if !f.Force && allThere(plan, state) {
				s.say("%s: installed already: %s", sys.name, names)
				return nil
			}
			return s.installPlan(ctx, c, sys, plan, f.Force)
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

// PkgUpgrade replaces the installed packages of which their repository has another archive now.
func (s *Session) PkgUpgrade(ctx context.Context, f PkgInstallFlags) error {
	return s.onSystem(ctx, f.PkgSystem, func(sys *system) error {
		return s.withClient(f.Repo, func(c *pkgrepo.Client) error {
			state, err := sys.state()
			if err != nil {
				return err
			}
			indexes, err := c.Indexes(ctx)
			if err != nil {
				return err
			}
			names := state.Upgrades(indexes)
			if len(names) == 0 {
				s.say("%s: all %d packages are as their repositories have them%s", sys.name, len(state.Installed), elsewhere(state, indexes))
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
			return s.installPlan(ctx, c, sys, plan, f.Force)
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
	return "; not asked, since neither -repo nor " + repositoriesFile + " names them: " + strings.Join(sortedNames(others), ", ")
}

// sameRepositories refuses to take the next version of a package from somebody else.
func sameRepositories(plan *pkgrepo.Plan, state *pkgrepo.State) error {
	for i := range plan.Packages {
		p := &plan.Packages[i]
		if have, ok := state.Installed[p.Name]; ok && have.Remote != p.Repo {
			return fmt.Errorf("package %s was installed from %s and %s is asked before it; put %s first, or install the package anew: `mage pkg:install %s`",
				p.Name, have.Remote, p.Repo, have.Remote, p.Name)
		}
	}
	return nil
}

// installPlan fetches a plan, checks libraries and changes the system.
func (s *Session) installPlan(ctx context.Context, c *pkgrepo.Client, sys *system, plan *pkgrepo.Plan, force bool) error {
	if s.Config.DryRun {
		return s.printPackages(plan)
	}
	fetched, err := c.Fetch(ctx, plan)
	if err != nil {
		return err
	}
	if !force {
		have, err := sys.libraries(fetched)
		if err != nil {
			return err
		}
		if err := c.CheckLibraries(ctx, fetched, have); err != nil {
			return fmt.Errorf("%s is as it was: %w", sys.name, errs.One(err))
		}
		if err := sys.keepsLibraries(ctx, namesOf(fetched), pkgrepo.Libraries(fetched)); err != nil {
			return fmt.Errorf("%s is as it was: %w", sys.name, errs.One(err))
		}
	}
	applied, err := sys.apply(ctx, pkgrepo.Change{Install: fetched, Force: force})
	if err != nil {
		return fmt.Errorf("%s is as it was: %w", sys.name, errs.One(err))
	}
	_, storage := plan.Size()
	sys.done = func() { s.sayApplied(sys.name, applied, fmt.Sprintf(" (%s)", ui.Bytes(int64(storage)))) }
	return nil
}

// PkgRemove removes packages and those that were installed only for them. Unless force is set, nothing is removed that has a
// library which a program that stays needs.
func (s *Session) PkgRemove(ctx context.Context, names string, where PkgSystem, force bool) error {
	unwanted, err := packageNames(names)
	if err != nil {
		return err
	}
	return s.onSystem(ctx, where, func(sys *system) error {
		state, err := sys.state()
		if err != nil {
			return err
		}
		gone, err := state.Remove(unwanted)
		if err != nil {
			return wayOut(fmt.Errorf("%s is as it was: %w", sys.name, errs.One(err)))
		}
		if !force {
			if err := sys.keepsLibraries(ctx, gone, nil); err != nil {
				return wayOut(fmt.Errorf("%s is as it was: %w", sys.name, errs.One(err)))
			}
		}
		if s.Config.DryRun {
			fmt.Fprintln(s.Streams.Out, joinNames(gone))
			return nil
		}
		applied, err := sys.apply(ctx, pkgrepo.Change{Remove: unwanted})
		if err != nil {
			return wayOut(fmt.Errorf("%s is as it was: %w", sys.name, errs.One(err)))
		}
		sys.done = func() { s.sayApplied(sys.name, applied, "") }
		return nil
	})
}

func (s *Session) sayApplied(name string, a *pkgrepo.Applied, more string) {
	if len(a.Installed) > 0 {
		s.say("%s: installed %s%s", name, joinNames(a.Installed), more)
	}
	if len(a.Removed) > 0 {
		s.say("%s: removed %s", name, joinNames(a.Removed))
	}
	if len(a.Kept) > 0 {
		s.say("  changed since they were installed, and left alone: %s", strings.Join(printables(a.Kept), ", "))
	}
}

func joinNames(names []pkgrepo.Name) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, ", ")
}

// system is an installed system as a folder: its root, or for an image a private copy of it.
type system struct {
	name    string // for messages
	root    string
	private bool   // the folder goes away afterwards
	done    func() // says what was done; nil if there was nothing to do
}

// onSystem does something with an installed system.
func (s *Session) onSystem(ctx context.Context, where PkgSystem, do func(*system) error) error {
	if where.Root != "" && where.Image != "" {
		return errors.New("-root is a folder and -image an image: give one of them")
	}
	sys := &system{name: where.Root, root: where.Root}
	var err error
	if where.Root != "" {
		err = do(sys)
	} else {
		err = s.onImage(ctx, where.Image, sys, do)
	}
	if err == nil && sys.done != nil {
		sys.done()
	}
	return err
}

// open opens the root so that no link leads out of it. A root that is not there is nil.
func (sys *system) open() (*os.Root, error) {
	r, err := os.OpenRoot(sys.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

// state is what is installed.
func (sys *system) state() (*pkgrepo.State, error) {
	r, err := sys.open()
	if err != nil {
		return nil, err
	}
	var text []byte
	if r != nil {
		defer r.Close()
		if text, err = r.ReadFile(pkgrepo.StateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", sys.name, err)
		}
	}
	state, err := pkgrepo.ParseState(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", sys.name, pkgrepo.StateFile, err)
	}
	return state, nil
}

// inTheWay knows pkgrepo's words for files that -force replaces.
var inTheWay = regexp.MustCompile(`is installed with it|belongs to no package`)

// apply changes the folder in one step.
func (sys *system) apply(ctx context.Context, change pkgrepo.Change) (*pkgrepo.Applied, error) {
	applied, err := pkgrepo.Apply(ctx, sys.root, change, pkgar.ExtractOptions{NoSync: sys.private})
	if err != nil && inTheWay.MatchString(err.Error()) {
		err = fmt.Errorf("%w\n  -force replaces what is in the way", err)
	}
	return applied, err
}
