package drift

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/patch"
)

// PatchSeries is a patch series that does not fit its source.
const PatchSeries Kind = "patch-series"

func checkPatchSeries(ctx context.Context, in *inputs, r *Report) error {
	var wrong *multierror.Error
	for i := range in.sources {
		src := &in.sources[i]
		if len(src.Series) == 0 || src.missing(PatchSeries, r) {
			continue
		}
		p := in.applyPatches(ctx, src)
		r.add(p.conflicts...)
		r.Patches = append(r.Patches, p.states...)
		wrong = multierror.Append(wrong, p.err)
	}
	return errs.One(wrong)
}

// patched is what became of the patch series of a source.
type patched struct {
	conflicts []Finding
	states    []SeriesState
	err       error
}

// applyPatches applies the series of a source to its tree, once: more than one check looks at what they leave.
func (in *inputs) applyPatches(ctx context.Context, src *Source) *patched {
	if src.patched == nil {
		src.patched = &patched{}
		src.patched.conflicts, src.patched.states, src.patched.err = patchTree(ctx, os.DirFS(in.checkout.Patches), "patches", src)
	}
	return src.patched
}

// patchTree applies the series of a source to it, in memory, and reports conflicts. The tree of s has
// the series' changes afterwards, except those of a series in conflict. patches is the folder of
// all series and prefix is put before the names of its files.
func patchTree(ctx context.Context, patches fs.FS, prefix string, s *Source) ([]Finding, []SeriesState, error) {
	var found []Finding
	var states []SeriesState
	for _, name := range s.Series {
		series, err := patch.Load(patches, name)
		if err != nil {
			return found, states, err
		}
		report, err := patch.Apply(ctx, series, s.Tree, patch.Options{})
		if report == nil {
			return found, states, fmt.Errorf("series %s on %s: %w", name, s.Name, err)
		}
		states = append(states, SeriesState{s.Name, name, report.Summary()})
		for _, result := range report.Results {
			if result.Status == patch.Conflict {
				found = append(found, conflict(patches, prefix, name, s, result))
			}
		}
	}
	return found, states, nil
}

func conflict(patches fs.FS, prefix, series string, s *Source, result patch.Result) Finding {
	name := path.Join(prefix, series, result.Patch)
	text, _ := fs.ReadFile(patches, path.Join(series, result.Patch)) // without it there is just no line
	f := Finding{
		Kind: PatchSeries, File: name, Line: partLine(text, result.Part), Expected: "to apply to " + s.Name + " or to be satisfied there",
		Found: "conflict in " + result.File + ": " + result.Detail, Fix: "edit " + name + " by hand, then mage drift",
	}
	if len(result.Candidates) > 0 {
		f.Fix = fmt.Sprintf("edit %s by hand (nearest: %s), then mage drift", name, strings.TrimSpace(result.Candidates[0].String()))
	}
	return f
}

// partLine is where "edit 2" or "file 1" of a patch begins.
func partLine(text []byte, part string) int {
	kind, number, _ := strings.Cut(part, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return nthLine(text, "[["+kind+"]]", n)
}
