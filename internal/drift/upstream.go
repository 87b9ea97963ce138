package drift

import (
	"context"
	"os"
	"strings"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/source"
)

// Upstream is how far a git source's pin is behind its repository. It is for people: nothing fails on it.
type Upstream struct {
	Source string `json:"source"`
	URL    string `json:"url"`
	Pin    string `json:"pin"`
	// Head is the commit of the repository's default branch; empty when it cannot be reached.
	Head string `json:"head,omitempty"`
	// Behind and Ahead count commits: of Head that the pin lacks, and of the pin that Head lacks. They are -1
	// when the repository does not tell.
	Behind int `json:"behind"`
	Ahead  int `json:"ahead"`
	// PinDate and HeadDate are days.
	PinDate  string `json:"pin_date,omitempty"`
	HeadDate string `json:"head_date,omitempty"`
	// Patches are the states of the patch series on Head.
	Patches []SeriesState `json:"patches,omitempty"`
	// Problem is why something above is not known.
	Problem string `json:"problem,omitempty"`
}

// Remote is the way to the repositories of sources.
type Remote struct {
	Git     Git
	Fetcher *source.Fetcher
	// Overrides has the user's mirrors. What takes the place of a source is not asked: upstream is.
	Overrides *source.Overrides
}

// AskUpstream asks the repository of every git source, submodules included. One that cannot be reached is no error.
func AskUpstream(ctx context.Context, c *Checkout, remote Remote) ([]Upstream, error) {
	all := []Upstream{}
	for _, name := range c.Recipes.Names() {
		r := c.Recipes[name]
		if r.Source.Git == "" {
			continue
		}
		all = append(all, remote.ask(ctx, c, name, source.Git{URL: r.Source.Git, Commit: r.Source.Commit}, r.Patches))
		for at, sub := range r.Source.Submodules {
			all = append(all, remote.ask(ctx, c, name+"/"+at, source.Git{URL: sub.Git, Commit: sub.Commit}, nil))
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ask asks one repository.
func (r Remote) ask(ctx context.Context, c *Checkout, name string, pinned source.Git, series []string) Upstream {
	u := Upstream{Source: name, URL: pinned.URL, Pin: pinned.Commit, Behind: -1, Ahead: -1}
	from := r.Overrides.Mirror(pinned.URL)
	head, err := Head(ctx, r.Git.Git, from)
	if err != nil {
		u.Problem = "cannot be reached: " + err.Error()
		return u
	}
	far, err := r.Git.Distance(ctx, strings.ReplaceAll(name, "/", "-"), from, pinned.Commit, head)
	if err != nil {
		u.Problem = "distance not known: " + err.Error()
	}
	u.Head, u.Behind, u.Ahead, u.PinDate, u.HeadDate = head, far.Behind, far.Ahead, far.PinDate, far.HeadDate
	if len(series) > 0 {
		if u.Patches, err = r.patchesAt(ctx, c, name, source.Git{URL: pinned.URL, Commit: head}, series); err != nil {
			u.Problem = strings.TrimPrefix(u.Problem+"; patches not tried: "+err.Error(), "; ")
		}
	}
	return u
}

// patchesAt applies series to a commit of a repository.
func (r Remote) patchesAt(ctx context.Context, c *Checkout, name string, at source.Git, series []string) ([]SeriesState, error) {
	dir, err := os.MkdirTemp("", "redox-clif-upstream-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := r.export(ctx, name, at, dir); err != nil {
		return nil, err
	}
	tree, err := patch.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	var states []SeriesState
	for _, one := range series {
		loaded, err := patch.Load(os.DirFS(c.Patches), one)
		if err != nil {
			return states, err
		}
		report, err := patch.Apply(ctx, loaded, tree, patch.Options{})
		if report == nil {
			return states, err
		}
		states = append(states, SeriesState{Source: name, Series: one, Summary: report.Summary()})
	}
	return states, nil
}

// export writes the files of a commit into dir.
func (r Remote) export(ctx context.Context, name string, at source.Git, dir string) error {
	resolved, err := (&source.Overrides{}).Resolve(name, at)
	if err != nil {
		return err
	}
	resolved.FetchURL = r.Overrides.Mirror(at.URL)
	if err := r.Fetcher.Fetch(ctx, resolved); err != nil {
		return err
	}
	_, err = r.Fetcher.Export(ctx, resolved, dir)
	return err
}
