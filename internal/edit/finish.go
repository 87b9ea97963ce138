package edit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/patch"
)

// Form is what a patch is written as.
type Form string

// The forms. Without one a commit becomes edits in TOML where these have words for it, and else a unified diff.
const (
	AsTOML    Form = "toml"
	AsUnified Form = "patch"
)

// Finish is where the commits of an edit go.
type Finish struct {
	// Patches is the folder of all series, Series are those that the recipe names now, in order.
	Patches string
	Series  []string
	// New is the series of commits that are no patch yet, "" chooses: the recipe's own when it has one, else the last that no program writes.
	New string
	// Form is that of new patches.
	Form Form
}

// Written is what became of an edit's commits.
type Written struct {
	// Files are those of patches/ that change, by path: "kernel/0005-x.toml".
	Files []File
	// Series are what the recipe has to name now.
	Series []string
	// Remarks are what a person should look at.
	Remarks []string

	patches string
	stage   string
}

// File is one that changes.
type File struct {
	Path string
	Kind string // "new", "rewritten" or "removed"
}

// Plan writes the commits back as patches, into a folder of its own, and proves that these lead from the source to what the last commit
// has. Nothing is changed until Publish; Close is to be called in any case.
func (e *Edit) Plan(ctx context.Context, f Finish) (*Written, error) {
	if err := e.ready(ctx); err != nil {
		return nil, err
	}
	if err := e.unchangedMeanwhile(f); err != nil {
		return nil, err
	}
	stage, err := os.MkdirTemp("", "redox-clif-patches-*")
	if err != nil {
		return nil, err
	}
	w := &Written{Series: slices.Clone(f.Series), patches: f.Patches, stage: stage}
	p := &planning{e: e, f: f, w: w}
	for _, part := range []func(context.Context) error{p.copySeries, p.write, p.prove, p.compare} {
		if err := part(ctx); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// Close removes what Plan has written down.
func (w *Written) Close() { _ = os.RemoveAll(w.stage) }

// Publish changes patches/.
func (w *Written) Publish() error {
	for _, f := range w.Files {
		at := filepath.Join(w.patches, filepath.FromSlash(f.Path))
		if f.Kind == "removed" {
			if err := os.Remove(at); err != nil {
				return err
			}
			continue
		}
		data, err := os.ReadFile(filepath.Join(w.stage, filepath.FromSlash(f.Path)))
		if err != nil {
			return err
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), atomicfile.Write(at, data, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// Keep copies what the files were before, so that they can be had back.
func (w *Written) Keep(dir string) error {
	for _, f := range w.Files {
		if f.Kind == "new" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(w.patches, filepath.FromSlash(f.Path)))
		if err != nil {
			return err
		}
		at := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, data, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// ready refuses what would be left behind.
func (e *Edit) ready(ctx context.Context) error {
	changed, err := e.changed(ctx)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		return fmt.Errorf("%s has changes that are in no commit, and a patch is made of a commit: git -C %s add -A && git -C %s commit\n  %s", e.Recipe, e.Dir, e.Dir, strings.Join(changed[:min(len(changed), 10)], "\n  "))
	}
	if busy, err := e.underWay(); err != nil || busy != "" {
		return errors.Join(err, fmt.Errorf("a %s is under way in %s: finish or abort it first", busy, e.Dir))
	}
	if _, err := e.run(ctx, "merge-base", "--is-ancestor", e.Base, "HEAD"); err != nil {
		return fmt.Errorf("the commits of %s do not begin with the source that it was taken from (%.12s): git -C %s rebase %.12s", e.Dir, e.Base, e.Dir, e.Base)
	}
	return nil
}

// underWay is what git has begun and not ended.
func (e *Edit) underWay() (string, error) {
	for name, what := range map[string]string{"rebase-merge": "rebase", "rebase-apply": "rebase", "MERGE_HEAD": "merge", "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert"} {
		if _, err := os.Lstat(filepath.Join(e.Dir, ".git", name)); err == nil {
			return what, nil
		} else if !os.IsNotExist(err) {
			return "", err
		}
	}
	return "", nil
}

// unchangedMeanwhile refuses to write over what somebody else has changed since the edit began.
func (e *Edit) unchangedMeanwhile(f Finish) error {
	patches := os.DirFS(f.Patches)
	for _, s := range e.Series {
		if !slices.Contains(f.Series, s.Name) {
			return e.changedMeanwhile(fmt.Sprintf("the recipe no longer names the series %s", s.Name))
		}
		now, err := patch.Load(patches, s.Name)
		if err != nil {
			return err
		}
		if len(now.Patches) != len(s.Patches) {
			return e.changedMeanwhile(fmt.Sprintf("patches/%s had %d files and has %d", s.Name, len(s.Patches), len(now.Patches)))
		}
		for i, p := range now.Patches {
			sum, err := digest(patches, s.Name, &p)
			if err != nil {
				return err
			}
			if was := s.Patches[i]; was.File != p.Name || was.Digest != sum {
				return e.changedMeanwhile(fmt.Sprintf("patches/%s/%s is not what it was", s.Name, was.File))
			}
		}
	}
	return nil
}

func (e *Edit) changedMeanwhile(what string) error {
	return fmt.Errorf("%s since %s was taken for editing, and nothing is written over that; put it back as it was, or `mage edit %s -drop` (which moves %s aside) and take the source anew: git cherry-pick brings your commits over", what, e.Recipe, e.Recipe, e.Dir)
}

// planning is a plan in the making.
type planning struct {
	e *Edit
	f Finish
	w *Written
}

// copySeries copies the series of the recipe into the stage.
func (p *planning) copySeries(context.Context) error {
	for _, name := range p.f.Series {
		if err := os.CopyFS(filepath.Join(p.w.stage, name), os.DirFS(filepath.Join(p.f.Patches, name))); err != nil {
			return err
		}
	}
	return nil
}

// prove applies what is in the stage to the source without patches.
func (p *planning) prove(ctx context.Context) error {
	base, err := p.e.tree(ctx, p.e.Base)
	if err != nil {
		return err
	}
	head, err := p.e.tree(ctx, "HEAD")
	if err != nil {
		return err
	}
	got := patch.NewOverlay(base)
	for _, name := range p.w.Series {
		if empty, err := p.empty(name); err != nil || empty {
			return errors.Join(err, p.emptySeries(name))
		}
		series, err := patch.Load(os.DirFS(p.w.stage), name)
		if err != nil {
			return err
		}
		if _, err := patch.Apply(ctx, series, got, patch.Options{}); err != nil {
			return fmt.Errorf("patches/%s: %w\n%s", name, err, otherOrder)
		}
	}
	for _, name := range slices.Concat(differ(base, head), changedBy(got)) {
		same, err := equal(got, head, name)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("the patches would not lead to what the last commit has: %s would differ\n%s", name, otherOrder)
		}
	}
	return nil
}

// empty tells whether a series has no patch any more.
func (p *planning) empty(series string) (bool, error) {
	for _, ext := range []string{"*.toml", "*.patch"} {
		if found, err := filepath.Glob(filepath.Join(p.w.stage, series, ext)); err != nil || len(found) > 0 {
			return false, err
		}
	}
	return true, nil
}

func (p *planning) emptySeries(name string) error {
	return fmt.Errorf("no commit is left of patches/%s: take the series out of the recipe and out of patches/ by hand, `mage edit %s -drop`, and take the source anew", name, p.e.Recipe)
}

// otherOrder is what to do about patches that do not fit each other, in the form of a hint.
const otherOrder = "  hint:   a commit that changes what a patch under it has made belongs into that patch: git rebase -i makes it a fixup of the patch's commit. " +
	"And patches are applied series by series in the recipe's order: -series=NAME puts new commits into another series"

func changedBy(o *patch.Overlay) []string { return slices.Sorted(maps.Keys(o.Changed)) }

// compare finds out what the stage has other than patches/.
func (p *planning) compare(context.Context) error {
	for _, series := range p.w.Series {
		was, err := filesOf(filepath.Join(p.f.Patches, series))
		if err != nil {
			return err
		}
		is, err := filesOf(filepath.Join(p.w.stage, series))
		if err != nil {
			return err
		}
		for _, name := range sortedKeys(was, is) {
			before, had := was[name]
			after, has := is[name]
			f := File{Path: path.Join(series, name)}
			switch {
			case had && has && before == after:
				continue
			case had && has:
				f.Kind = "rewritten"
			case has:
				f.Kind = "new"
			default:
				f.Kind = "removed"
			}
			p.w.Files = append(p.w.Files, f)
		}
	}
	return nil
}

// filesOf are the files in a folder with what is in them.
func filesOf(dir string) (map[string]string, error) {
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files[entry.Name()] = string(data)
	}
	return files, nil
}

func sortedKeys(maps ...map[string]string) []string {
	var names []string
	for _, m := range maps {
		for name := range m {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
