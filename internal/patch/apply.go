package patch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Options are what applying needs from outside. The zero value serves series
// of TOML patches and of unified diffs that apply without a 3-way merge.
type Options struct {
	Git       string // git program; empty: "git" as found by the system
	ObjectDir string // git objects that hold the diffs' base blobs; empty: no 3-way merge, unless the tree is a DirTree with its own .git
	TempDir   string // where unified diffs are tried; empty: the system's
	DryRun    bool   // report only
	// Fence, when it is set, is the command line by which a program runs where it can write to that folder alone.
	Fence func(folder string) func(args []string) []string
}

// Apply applies the series to the tree. Everything is computed in memory
// first: if any part conflicts, nothing is written and the error is a
// *multierror.Error of *ConflictError, one for every conflict of the series.
// The report is complete in both cases. Other errors (reading, writing, no
// git) come as they are; after one of those from a write the tree is to be
// thrown away.
func Apply(ctx context.Context, s *Series, tree Tree, opts Options) (*Report, error) {
	if opts.ObjectDir == "" {
		if d, ok := tree.(*DirTree); ok {
			opts.ObjectDir = d.objectDir()
		}
	}
	over := NewOverlay(tree)
	report, err := compute(ctx, s, over, opts)
	if err != nil {
		return nil, err
	}
	if report.Count(Conflict) == 0 {
		if err := verify(ctx, s, over, opts, report); err != nil {
			return nil, err
		}
	}
	if err := conflicts(report); err != nil {
		return report, err
	}
	report.Changed = over.paths()
	if opts.DryRun {
		return report, nil
	}
	if err := over.flush(tree); err != nil {
		return report, err
	}
	return report, nil
}

func conflicts(report *Report) error {
	all := &multierror.Error{ErrorFormat: lines}
	for _, r := range report.Results {
		if r.Status == Conflict {
			all = multierror.Append(all, &ConflictError{Result: r})
		}
	}
	return all.ErrorOrNil()
}

// lines is one conflict after the other, without a bullet list around it.
func lines(errs []error) string {
	var b strings.Builder
	for _, err := range errs {
		b.WriteString("\n  " + err.Error())
	}
	return b.String()
}

// verify computes the series once more on its own result. What is not
// satisfied there would be applied twice by a second run.
func verify(ctx context.Context, s *Series, over *Overlay, opts Options, report *Report) error {
	again, err := compute(ctx, s, NewOverlay(over), opts)
	if err != nil {
		return err
	}
	for i, r := range again.Results {
		if r.Status != Applied && r.Status != Conflict {
			continue
		}
		detail := "on the series' own result the edit would be applied a second time"
		if r.Status == Conflict {
			detail = "on the series' own result the edit is not recognised as satisfied (" + r.Detail + ")"
		}
		r.Status, r.Candidates = Conflict, nil
		r.Detail = detail + "; " + s.wayOut(r.Patch)
		report.Results[i] = r
	}
	return nil
}

// wayOut is what can be done about a patch that does not know its own result.
func (s *Series) wayOut(name string) string {
	i := slices.IndexFunc(s.Patches, func(p Patch) bool { return p.Name == name })
	if s.Patches[i].Unified != nil {
		return "merge it with the patch of the series that overlaps it, or write it as a TOML patch with a `satisfied` pattern"
	}
	return "give it a longer text or a `satisfied` pattern, or merge it with the edit of the series that overlaps it"
}

// compute applies every patch to the overlay and collects the results. The
// number and order of results depends on the series only.
func compute(ctx context.Context, s *Series, over *Overlay, opts Options) (*Report, error) {
	report := &Report{}
	for i := 0; i < len(s.Patches); i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var results []Result
		var err error
		if s.Patches[i].Unified != nil {
			run := unifiedRun(s.Patches[i:])
			results, err = applyUnified(ctx, run, over, opts)
			i += len(run) - 1
		} else {
			results, err = applyTOML(&s.Patches[i], over)
		}
		if err != nil {
			return nil, err
		}
		report.Results = append(report.Results, results...)
	}
	return report, nil
}

func applyTOML(p *Patch, over *Overlay) ([]Result, error) {
	status, detail, err := p.guard(over)
	if err != nil {
		return nil, err
	}
	var results []Result
	for i := range p.Edits {
		r := Result{Patch: p.Name, Title: p.Title, Part: fmt.Sprintf("edit %d", i+1), File: p.Edits[i].File, Status: status, Detail: detail}
		if status == "" {
			if err := p.applyEdit(&p.Edits[i], over, &r); err != nil {
				return nil, err
			}
		}
		results = append(results, r)
	}
	for i := range p.Files {
		r := Result{Patch: p.Name, Title: p.Title, Part: fmt.Sprintf("file %d", i+1), File: p.Files[i].Path, Status: status, Detail: detail}
		if status == "" {
			if err := addFile(&p.Files[i], over, &r); err != nil {
				return nil, err
			}
		}
		results = append(results, r)
	}
	return results, nil
}

// guard answers for the whole patch by its conditions; an empty status means
// that its parts decide.
func (p *Patch) guard(tree Reader) (Status, string, error) {
	if p.Satisfied != nil {
		found, err := p.Satisfied.holds(tree)
		if err != nil {
			return "", "", err
		}
		if found {
			return Satisfied, "the patch's satisfied pattern is in " + p.Satisfied.File, nil
		}
	}
	if p.Needed != nil {
		found, err := p.Needed.holds(tree)
		if err != nil {
			return "", "", err
		}
		if !found {
			return NotNeeded, "the patch's needed pattern is not in " + p.Needed.File, nil
		}
	}
	return "", "", nil
}

func (c *Condition) holds(tree Reader) (bool, error) {
	f, err := readRegular(tree, c.File)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotRegular) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	data := f.Data
	if isCRLF(string(data)) {
		data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	}
	return c.Pattern.Match(data), nil
}

func (p *Patch) applyEdit(e *Edit, over *Overlay, r *Result) error {
	f, err := readRegular(over, e.File)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(over, r)
	}
	if err != nil {
		return err
	}
	out := e.applyTo(string(f.Data))
	r.Status, r.Line, r.Detail = out.status, out.line, out.detail
	for _, c := range out.near {
		c.File = e.File
		r.Candidates = append(r.Candidates, c)
	}
	if out.status != Applied {
		return nil
	}
	if lacks, err := p.lacksContext(over); err != nil || lacks != nil {
		r.outOfContext(lacks, over)
		return err
	}
	f.Data = []byte(out.text)
	return over.WriteFile(e.File, f)
}

func missing(over *Overlay, r *Result) error {
	names, err := over.List()
	if err != nil {
		return err
	}
	r.Status, r.Detail = Conflict, cmp.Or(throughLink(over, r.File), "no such file in the source")
	r.Candidates = nearestFiles(names, r.File)
	return nil
}

func addFile(nf *NewFile, over *Overlay, r *Result) error {
	f, err := readRegular(over, nf.Path)
	through := throughLink(over, nf.Path)
	switch {
	case through != "":
		r.Status, r.Detail = Conflict, through
	case errors.Is(err, fs.ErrNotExist):
		r.Status = Applied
		return over.WriteFile(nf.Path, File{Data: nf.Text})
	case err != nil:
		return err
	case bytes.Equal(f.Data, nf.Text):
		r.Status = Satisfied
	default:
		r.Status, r.Line = Conflict, firstDifference(f.Data, nf.Text)
		r.Detail = "the source already has this file with another content"
	}
	return nil
}

func firstDifference(a, b []byte) int {
	line := 1
	for i := 0; i < len(a) && i < len(b) && a[i] == b[i]; i++ {
		if a[i] == '\n' {
			line++
		}
	}
	return line
}
