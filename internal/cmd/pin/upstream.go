package pin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/ui"
)

// DriftUpstream tells for each git source how far its pin is behind and what becomes of our patches there.
// It only reports: a host that cannot be reached is said, not failed on.
func DriftUpstream(ctx context.Context, s *session.Session, asJSON bool) error {
	if s.Config.Offline {
		return fmt.Errorf("upstream cannot be asked with -offline")
	}
	all := []drift.Upstream{}
	for _, name := range s.Recipes.Names() {
		r := s.Recipes[name].WithProfile(s.Config.Profile)
		if r.Source.Git == "" {
			continue
		}
		all = append(all, upstream(ctx, s, name, r.Source.Git, r.Source.Commit, r.Patches))
		for at, sub := range r.Source.Submodules {
			all = append(all, upstream(ctx, s, name+"/"+at, sub.Git, sub.Commit, nil))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "drift:upstream", all)
	}
	return printUpstream(s, all)
}

// upstream asks one repository.
func upstream(ctx context.Context, s *session.Session, name, url, pin string, series []string) drift.Upstream {
	git := drift.Git{
		Program: "git", Dir: filepath.Join(s.Config.Cache, "upstream"),
		Env: append([]string{"PATH=" + s.Config.Path, "HOME=" + s.Config.Home}, s.Config.NetworkEnv...),
	}
	from := s.Overrides.Mirror(url)
	u := drift.Upstream{Source: name, URL: url, Pin: pin, Behind: -1, Ahead: -1}
	head, err := git.Head(ctx, from)
	if err != nil {
		u.Problem = "cannot be reached: " + err.Error()
		return u
	}
	far, err := git.Distance(ctx, strings.ReplaceAll(name, "/", "-"), from, pin, head)
	if err != nil {
		u.Problem = "distance not known: " + err.Error()
	}
	u.Head, u.Behind, u.Ahead, u.PinDate, u.HeadDate = head, far.Behind, far.Ahead, far.PinDate, far.HeadDate
	if len(series) > 0 {
		if u.Patches, err = patchesAt(ctx, s, name, url, head, series); err != nil {
			u.Problem = strings.TrimPrefix(u.Problem+"; patches not tried: "+err.Error(), "; ")
		}
	}
	return u
}

// patchesAt tries series on a commit of a repository.
func patchesAt(ctx context.Context, s *session.Session, name, url, commit string, series []string) ([]drift.SeriesState, error) {
	r, err := mirrored(s, name, source.Git{URL: url, Commit: commit})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redox-clif-upstream-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	fetcher := s.Fetcher(builder.Tools{}, "")
	if err := fetcher.Fetch(ctx, r); err != nil {
		return nil, err
	}
	if err := fetcher.Export(ctx, r, dir); err != nil {
		return nil, err
	}
	tree, err := patch.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	var states []drift.SeriesState
	for _, one := range series {
		loaded, err := patch.Load(os.DirFS(s.Config.Patches()), one)
		if err != nil {
			return states, err
		}
		report, err := patch.Apply(ctx, loaded, tree, patch.Options{})
		if report == nil {
			return states, err
		}
		states = append(states, drift.SeriesState{Source: name, Series: one, Summary: report.Summary()})
	}
	return states, nil
}

// mirrored is a source with the user's mirror, without what the user puts in its place: upstream is what
// is asked for.
func mirrored(s *session.Session, name string, src source.Git) (*source.Resolved, error) {
	r, err := (&source.Overrides{}).Resolve(name, src)
	if err == nil {
		r.FetchURL = s.Overrides.Mirror(src.URL)
	}
	return r, err
}

func printUpstream(s *session.Session, all []drift.Upstream) error {
	rows := [][]string{{"SOURCE", "PIN", "UPSTREAM", "BEHIND", "AHEAD", "PATCHES THERE"}}
	for _, u := range all {
		states := ""
		for _, p := range u.Patches {
			states += p.Series + ": " + p.Summary + "; "
		}
		rows = append(rows, []string{
			u.Source, short(u.Pin) + " " + u.PinDate, short(u.Head) + " " + u.HeadDate, count(u.Behind), count(u.Ahead), ui.Dash(strings.TrimSuffix(states, "; ")),
		})
	}
	if err := ui.Table(s.Streams.Out, rows); err != nil {
		return err
	}
	for _, u := range all {
		if u.Problem != "" {
			fmt.Fprintf(s.Streams.Out, "%s (%s): %s\n", u.Source, u.URL, u.Problem)
		}
	}
	return nil
}

func short(commit string) string { return commit[:min(9, len(commit))] }

func count(n int) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}
