// Package upgrade moves the sources of recipes to later commits, and their patch series with them.
//
// It owns which commit a source is moved to, what becomes of submodules and series there, the changed texts of recipes and patches, and the journal
// by which all of them are written or none. It must not know how anything is built, tried or printed: who calls it does that between
// writing and the end, and takes everything back when it fails.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/tomledit"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Goal is what sources are moved to: a commit, the last commit of a day, or with neither the head of the default branch.
type Goal struct{ Commit, Date string }

var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// ParseGoal reads a goal: "", "head", 40 hex digits or a day.
func ParseGoal(text string) (Goal, error) {
	switch {
	case text == "" || text == "head":
		return Goal{}, nil
	case fullCommit.MatchString(text):
		return Goal{Commit: text}, nil
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return Goal{}, fmt.Errorf("%q is neither head, a commit (40 hex digits) nor a day (2026-06-05)", text)
	}
	return Goal{Date: text}, nil
}

// Checkout is where recipes and patches are. Paths are absolute.
type Checkout struct {
	Root, Patches string
	Recipes       recipe.Set // as the release set has them
	// Set is the set whose tables take a source that it has had from the recipe's first part so far; "" for the set that inherits nothing.
	Set string
	// Channel is the pin's.
	Channel string
	// Users counts the recipes that name a series, over all sets.
	Users map[string]int
}

// Upstream is the way to the repositories.
type Upstream struct {
	Git       drift.Git
	Fetcher   *source.Fetcher
	Overrides *source.Overrides
}

// Move is what becomes of one source.
type Move struct {
	Recipe string `json:"recipe"`
	URL    string `json:"url"`
	From   string `json:"from"`
	// To is the same as From for a source that stays; then nothing follows.
	To         string      `json:"to"`
	FromDate   string      `json:"from_date,omitempty"`
	ToDate     string      `json:"to_date,omitempty"`
	Commits    int         `json:"commits"` // from the one to the other
	Submodules []Submodule `json:"submodules,omitempty"`
	// Channel is the toolchain that the source names, where it is not the pin's.
	Channel  string     `json:"channel,omitempty"`
	Series   []Series   `json:"series,omitempty"`
	Proposed []Proposal `json:"proposed,omitempty"`
	// Conflicts are one line each, with the nearest places below it.
	Conflicts []string `json:"conflicts,omitempty"`
	// Notes are what somebody has to do by hand.
	Notes []string `json:"notes,omitempty"`
	// Problem is why the source could not be looked at.
	Problem string `json:"problem,omitempty"`
}

// Stays tells whether there is nothing to move.
func (m *Move) Stays() bool { return m.To == m.From }

// Submodule is a submodule that is another one at the new commit. From is "" for a new one, To for one that is gone.
type Submodule struct {
	Path string `json:"path"`
	URL  string `json:"url,omitempty"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Series is what becomes of a patch series.
type Series struct {
	Name    string `json:"name"`
	Summary string `json:"summary"` // "3 applied, 1 satisfied"
	// Superfluous: nothing of it is needed any more.
	Superfluous bool `json:"superfluous,omitempty"`
}

// Proposal is an anchor that fits the new source beside the old one.
type Proposal struct {
	Patch string `json:"patch"` // slash path in the checkout
	Part  string `json:"part"`  // "edit 2"
	Old   string `json:"old"`
	New   string `json:"new"`
}

// Plan is what an upgrade would do.
type Plan struct {
	Moves []Move `json:"moves"`
	// Files are the changed files by slash path in the checkout.
	Files map[string][]byte `json:"-"`
}

// Blocked counts the sources that keep the upgrade from being made.
func (p *Plan) Blocked() int {
	n := 0
	for i := range p.Moves {
		if p.Moves[i].Problem != "" || len(p.Moves[i].Conflicts) > 0 {
			n++
		}
	}
	return n
}

// Moved are the recipes that move.
func (p *Plan) Moved() []string {
	var names []string
	for i := range p.Moves {
		if !p.Moves[i].Stays() {
			names = append(names, p.Moves[i].Recipe)
		}
	}
	return names
}

// names are the recipes with a repository of their own, or those asked for.
func (c *Checkout) names(asked []string) ([]string, error) {
	var all []string
	for _, name := range c.Recipes.Names() {
		if c.Recipes[name].Source.Git != "" {
			all = append(all, name)
		}
	}
	for _, name := range asked {
		r, err := c.Recipes.Get(name)
		if err != nil {
			return nil, err
		}
		if r.Source.Git == "" {
			return nil, fmt.Errorf("%s is built from no repository of its own (%s); those that are: %s", name, r.Source.Short(), strings.Join(all, ", "))
		}
	}
	if len(asked) > 0 {
		return asked, nil
	}
	return all, nil
}

// Look finds out what an upgrade of these recipes (none: of all that have a repository) would do. kept are commits that an earlier look
// decided on: an upgrade that goes on does not move on.
func (c *Checkout) Look(ctx context.Context, from Upstream, asked []string, goal Goal, kept map[string]string) (*Plan, error) {
	names, err := c.names(asked)
	if err != nil {
		return nil, err
	}
	if goal.Commit != "" && len(names) != 1 {
		return nil, errors.New("a commit is one repository's: name the recipe that is to move to it")
	}
	plan := &Plan{Moves: []Move{}, Files: map[string][]byte{}}
	for _, name := range names {
		m := Move{Recipe: name, URL: c.Recipes[name].Source.Git, From: c.Recipes[name].Source.Commit}
		m.To = m.From
		if err := c.look(ctx, from, &m, goal, kept[name], plan.Files); err != nil {
			m.Problem = err.Error()
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		plan.Moves = append(plan.Moves, m)
	}
	if plan.Blocked() > 0 {
		plan.Files = nil
	}
	return plan, nil
}

func (c *Checkout) look(ctx context.Context, from Upstream, m *Move, goal Goal, kept string, files map[string][]byte) error {
	to := kept
	if to == "" {
		var err error
		if to, err = from.commit(ctx, m, goal); err != nil {
			return err
		}
	}
	if to == m.From {
		return nil
	}
	far, err := from.Git.Distance(ctx, m.Recipe, from.Overrides.Mirror(m.URL), m.From, to)
	if err != nil {
		return err
	}
	if far.Behind == 0 && goal.Commit == "" {
		m.Notes = append(m.Notes, "the pin is later than that")
		return nil
	}
	m.To, m.Commits, m.FromDate, m.ToDate = to, far.Behind, far.PinDate, far.HeadDate
	at, err := from.open(ctx, m.Recipe, source.Git{URL: m.URL, Commit: to})
	if err != nil {
		return err
	}
	defer at.close()
	r := c.Recipes[m.Recipe]
	if err := at.submodules(ctx, from, r, m); err != nil {
		return err
	}
	at.channel(c.Channel, m)
	if r.Cargo.Lock != "" {
		m.Notes = append(m.Notes, fmt.Sprintf("the recipe brings %s: mage recipe:lock %s, should the source want another one", r.Cargo.Lock, m.Recipe))
	}
	if err := c.series(ctx, at, r, m, files); err != nil {
		return err
	}
	return c.rewrite(r, m, files)
}

// commit is the one that the goal means.
func (u Upstream) commit(ctx context.Context, m *Move, goal Goal) (string, error) {
	url := u.Overrides.Mirror(m.URL)
	switch {
	case goal.Commit != "":
		return goal.Commit, nil
	case goal.Date == "":
		return drift.Head(ctx, u.Git.Git, url)
	}
	return u.Git.LastOf(ctx, m.Recipe, url, goal.Date)
}

// tree is a source at a commit, in a folder of its own.
type tree struct {
	*patch.DirTree
	dir string
	git source.Git
}

func (u Upstream) open(ctx context.Context, name string, at source.Git) (*tree, error) {
	dir, err := os.MkdirTemp("", "redox-clif-upgrade-*")
	if err != nil {
		return nil, err
	}
	t := &tree{dir: dir, git: at}
	resolved, err := (&source.Overrides{}).Resolve(name, at)
	if err == nil {
		resolved.FetchURL = u.Overrides.Mirror(at.URL)
		err = u.Fetcher.Fetch(ctx, resolved)
	}
	if err == nil {
		_, err = u.Fetcher.Export(ctx, resolved, dir)
	}
	if err == nil {
		t.DirTree, err = patch.OpenDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

func (t *tree) close() {
	_, _ = t.Close(), os.RemoveAll(t.dir) // a scratch folder: what stays of it is removed by the next run
}

// submodules compares those of the new commit with the recipe's.
func (t *tree) submodules(ctx context.Context, from Upstream, r *recipe.Recipe, m *Move) error {
	links, err := from.Fetcher.Gitlinks(ctx, t.git)
	if err != nil {
		return err
	}
	urls := map[string]string{}
	if f, err := t.ReadFile(".gitmodules"); err == nil {
		urls = git.Submodules(f.Data, t.git.URL)
	}
	paths := maps.Clone(links)
	for at := range r.Source.Submodules {
		if _, there := links[at]; !there {
			paths[at] = ""
		}
	}
	for _, at := range slices.Sorted(maps.Keys(paths)) {
		one := Submodule{Path: at, URL: urls[at], From: r.Source.Submodules[at].Commit, To: paths[at]}
		switch {
		case one.From == one.To:
			continue
		case one.From == "" && (one.URL == "" || git.CheckURL(one.URL) != nil):
			m.Notes = append(m.Notes, fmt.Sprintf("the new submodule %s at %s has no URL that can be used: its folder stays empty", at, one.To))
			continue
		case one.From != "":
			one.URL = r.Source.Submodules[at].Git
		}
		m.Submodules = append(m.Submodules, one)
	}
	return nil
}

// channel notes the toolchain that the source names.
func (t *tree) channel(pin string, m *Move) {
	for _, name := range []string{"rust-toolchain.toml", "rust-toolchain"} {
		if f, err := t.ReadFile(name); err == nil {
			if found, _, err := toolchain.ChannelOf(name, f.Data); err == nil && found != pin {
				m.Channel = found
			}
			return
		}
	}
}

// rewrite is the recipe's file with the new commits.
func (c *Checkout) rewrite(r *recipe.Recipe, m *Move, files map[string][]byte) error {
	text, err := os.ReadFile(r.Path)
	if err != nil {
		return err
	}
	name := c.relative(r.Path)
	if changed, ok := files[name]; ok {
		text = changed
	}
	doc, err := tomledit.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	key := r.SourceKey()
	set := func(value string, below ...string) {
		if err == nil {
			err = doc.Set(value, append(slices.Clone(key), below...)...)
		}
	}
	if c.Set != "" && len(key) == 1 { // the part for all sets stays what it is
		key = []string{"set", c.Set, "source"}
		set(r.Source.Git, "git")
		for at, sub := range r.Source.Submodules {
			set(sub.Git, "submodules", at, "git")
			set(sub.Commit, "submodules", at, "commit")
		}
	}
	set(m.To, "commit")
	for _, sub := range m.Submodules {
		switch {
		case sub.To == "":
			err = errors.Join(err, doc.Delete(append(slices.Clone(key), "submodules", sub.Path)...))
		case sub.From == "":
			set(sub.URL, "submodules", sub.Path, "git")
		}
		if sub.To != "" {
			set(sub.To, "submodules", sub.Path, "commit")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	files[name] = doc.Bytes()
	return nil
}

// relative is a slash path in the checkout.
func (c *Checkout) relative(file string) string {
	return filepath.ToSlash(strings.TrimPrefix(file, c.Root+string(filepath.Separator)))
}

// patchFile is the slash path of a patch in the checkout.
func (c *Checkout) patchFile(series, name string) string {
	return path.Join(c.relative(c.Patches), series, name)
}
