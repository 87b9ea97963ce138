// Package upgrade is `mage upgrade`: sources moved to later commits, all of them or none, with a report.
//
// It owns the order of the steps and what is printed. It must not know what becomes of a source or a patch, which package
// internal/upgrade finds out, nor how the result is tried: who calls it brings that.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
	"github.com/pannous/redox-clif/internal/upgrade"
)

// Flags say what is upgraded and how it is told.
type Flags struct {
	Names []string // recipes; none are all
	To    string   // a commit, a day, or head ("")
	JSON  bool
	// Try builds and boots what the checkout has then, with a session of its own; nil leaves that out. Lock writes recipes/lock.toml.
	Try  func(context.Context, *session.Session, []string) error
	Lock func(context.Context, *session.Session) error
}

// Run upgrades. With -dryrun it changes nothing.
func Run(ctx context.Context, s *session.Session, f Flags) error {
	goal, err := upgrade.ParseGoal(f.To)
	if err != nil {
		return fmt.Errorf("-to: %w", err)
	}
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	journal, err := reopen(s)
	if err != nil {
		unlock()
		return err
	}
	plan, err := look(ctx, s, f, goal, journal)
	unlock() // what follows takes the lock itself where it builds
	if err != nil {
		return err
	}
	outcome, err := perform(ctx, s, f, plan, journal)
	file := filepath.Join(folder(s), "report.md")
	if reportErr := renameio.WriteFile(file, []byte(plan.Markdown(s.Config.Set, outcome)), 0o644); reportErr != nil {
		return errors.Join(err, reportErr)
	}
	if f.JSON {
		return errors.Join(err, ui.WriteJSON(s.Streams.Out, "upgrade", plan))
	}
	return errors.Join(err, show(s, plan, outcome, file))
}

// folder is where the journal and the report are.
func folder(s *session.Session) string {
	set := s.Config.Set
	if set == "" {
		set = "default"
	}
	return filepath.Join(s.Config.Root, "out", "upgrade", set)
}

// reopen opens the journal, and puts back the files of an upgrade that was killed.
func reopen(s *session.Session) (*upgrade.Journal, error) {
	if err := os.MkdirAll(folder(s), 0o755); err != nil {
		return nil, err
	}
	journal, err := upgrade.OpenJournal(s.Config.Root, folder(s))
	if err != nil {
		return nil, err
	}
	if journal.Open() {
		s.Say("an upgrade did not come to its end: the files are what they were before it, and it goes on with its commits")
		return journal, journal.Restore()
	}
	return journal, nil
}

// goalText is what the journal compares: other names or another goal begin anew.
func goalText(f Flags) string { return strings.Join(append([]string{"to=" + f.To}, f.Names...), " ") }

func look(ctx context.Context, s *session.Session, f Flags, goal upgrade.Goal, journal *upgrade.Journal) (*upgrade.Plan, error) {
	if s.Config.Offline {
		return nil, errors.New("repositories cannot be asked with -offline")
	}
	c, err := checkout(s)
	if err != nil {
		return nil, err
	}
	overrides, err := s.Overrides()
	if err != nil {
		return nil, err
	}
	upstream := upgrade.Upstream{
		Git:     drift.Git{Git: git.Git{Env: s.Config.GitEnv()}, Dir: filepath.Join(s.Config.Cache, "upstream")},
		Fetcher: s.Fetcher(builder.Tools{}, ""), Overrides: overrides,
	}
	plan, err := c.Look(ctx, upstream, f.Names, goal, journal.Kept(goalText(f)))
	if err != nil || s.Config.DryRun {
		return plan, err
	}
	return plan, journal.Decide(goalText(f), plan)
}

func checkout(s *session.Session) (*upgrade.Checkout, error) {
	recipes, err := s.Recipes()
	if err != nil {
		return nil, err
	}
	sets, err := s.ReleaseSets()
	if err != nil {
		return nil, err
	}
	set, err := sets.Find(s.Config.Set)
	if err != nil {
		return nil, err
	}
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return nil, err
	}
	c := &upgrade.Checkout{Root: s.Config.Root, Patches: s.Config.Patches(), Recipes: recipes, Channel: pin.Toolchain.Channel, Users: map[string]int{}}
	if len(set.Tables) > 1 {
		c.Set = set.Name
	}
	users := map[string]map[string]bool{}
	for _, one := range sets {
		for name, r := range recipes.In(one.Tables...) {
			for _, series := range r.Patches {
				if users[series] == nil {
					users[series] = map[string]bool{}
				}
				users[series][name+"@"+r.PatchesOf+"@"+r.SourceOf] = true
			}
		}
	}
	for series, names := range users {
		c.Users[series] = len(names)
	}
	return c, nil
}

// perform writes the plan and tries it, or says why not. The sentence is for the report.
func perform(ctx context.Context, s *session.Session, f Flags, plan *upgrade.Plan, journal *upgrade.Journal) (outcome string, err error) {
	switch moved := plan.Moved(); {
	case plan.Blocked() > 0:
		return "Nothing is changed: what is below has to be mended first.", &BlockedError{plan.Blocked()}
	case len(moved) == 0:
		if s.Config.DryRun {
			return "Nothing is later than what the recipes name.", nil
		}
		return "Nothing is later than what the recipes name.", journal.Finish()
	case s.Config.DryRun:
		return "Nothing is changed: this was a dry run.", nil
	}
	if err := journal.Write(plan.Files, drift.LockFile); err != nil {
		return "Nothing is changed.", err
	}
	if err := tried(ctx, s, f, plan); err != nil {
		return "Nothing is changed: what was upgraded did not pass.", errors.Join(err, journal.Restore())
	}
	if f.Try == nil {
		return "The recipes are changed. Nothing was built.", journal.Finish()
	}
	return "The recipes are changed; what they build was built and has passed the boot tests.", journal.Finish()
}

// tried locks the new sources, builds and boots, in a session that reads the checkout anew.
func tried(ctx context.Context, s *session.Session, f Flags, plan *upgrade.Plan) error {
	after, err := s.InSet(s.Config.Set)
	if err != nil {
		return err
	}
	if err := f.Lock(ctx, after); err != nil {
		return err
	}
	if f.Try == nil {
		return nil
	}
	return f.Try(ctx, after, plan.Moved())
}

// BlockedError says that sources cannot be moved; why is printed already.
type BlockedError struct{ Count int }

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%d sources cannot be moved, so that none was: mend what is above, then mage upgrade again, which goes on with the same commits", e.Count)
}

func show(s *session.Session, plan *upgrade.Plan, outcome, file string) error {
	rows := [][]string{{"SOURCE", "FROM", "TO", "COMMITS", "SERIES"}}
	for i := range plan.Moves {
		m := &plan.Moves[i]
		var series []string
		for _, one := range m.Series {
			series = append(series, one.Name+": "+one.Summary)
		}
		to, commits := m.To[:min(9, len(m.To))]+" "+m.ToDate, fmt.Sprint(m.Commits)
		if m.Stays() {
			to, commits = "stays", "-"
		}
		if m.Problem != "" {
			to = "not looked at"
		}
		rows = append(rows, []string{m.Recipe, m.From[:min(9, len(m.From))] + " " + m.FromDate, to, commits, ui.Dash(strings.Join(series, "; "))})
	}
	if err := ui.Table(s.Streams.Out, rows); err != nil {
		return err
	}
	for i := range plan.Moves {
		m := &plan.Moves[i]
		if m.Problem != "" {
			fmt.Fprintf(s.Streams.Out, "%s: %s\n", m.Recipe, m.Problem)
		}
		for _, conflict := range m.Conflicts {
			fmt.Fprintf(s.Streams.Out, "%s: %s\n", m.Recipe, conflict)
		}
		for _, p := range m.Proposed {
			fmt.Fprintf(s.Streams.Out, "%s: %s: %q is %q now\n", p.Patch, p.Part, p.Old, p.New)
		}
	}
	s.Say("%s %s has the report", outcome, s.Relative(file))
	return nil
}
