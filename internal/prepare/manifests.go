package prepare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/crates"
	"github.com/pannous/redox-clif/internal/graph"
)

// manifestsVersion is raised when the same manifests are fitted in another way.
const manifestsVersion = 1

// manifests is the node of the workspace's skeleton with its manifests edited.
func (f *fitting) manifests() (*graph.Node, error) {
	return f.s.nodes.Once(f.r.Name+"/manifests", func(n *graph.Node) error {
		skeletons := map[*graph.Node]*graph.Node{}
		for _, src := range f.sources(slices.Concat(f.deps, f.overrides)) {
			skeleton, err := f.s.skeleton(src)
			if err != nil {
				return err
			}
			skeletons[src] = skeleton
			n.Deps = append(n.Deps, skeleton)
		}
		n.Deps = append(n.Deps, f.mayGoIn()...)
		n.Memory = 256 << 20
		n.Light = true
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			return f.manifestsAction(in, skeletons)
		}
		n.Run = f.editManifests
		f.lockKey = func(in graph.Outputs) (string, error) {
			a, err := f.manifestsAction(in, skeletons)
			if err != nil {
				return "", err
			}
			return lockKey(a), nil
		}
		return nil
	})
}

func (f *fitting) manifestsAction(in graph.Outputs, skeletons map[*graph.Node]*graph.Node) (*action.Action, error) {
	deps, members, needed, err := f.changes(in)
	if err != nil {
		return nil, err
	}
	if !needed {
		a := action.Builtin("fit-manifests", manifestsVersion, "none")
		a.Inputs, err = f.s.o.Store.Compose(nil, nil)
		return a, err
	}
	folders := &cas.Directory{}
	for _, d := range deps {
		if d.node != nil {
			folders.Dirs = append(folders.Dirs, cas.DirNode{Name: d.Folder, Digest: in[skeletons[d.node]]})
		}
	}
	depsDigest, err := f.s.o.Store.PutDirectory(folders)
	if err != nil {
		return nil, err
	}
	files := map[string]cas.Entry{}
	if f.lock != nil {
		e, ok, err := f.s.o.Store.Lookup(in[f.lock], f.r.Cargo.Lock)
		if err != nil || !ok {
			return nil, errors.Join(err, fmt.Errorf("%s: cargo.lock = %q: there is no such file beside the recipe", f.r.Path, f.r.Cargo.Lock))
		}
		files["Cargo.lock"] = e
	}
	config, err := json.Marshal(map[string]any{"dir": f.r.Cargo.Dir, "members": members, "deps": deps})
	if err != nil {
		return nil, err
	}
	a := action.Builtin("fit-manifests", manifestsVersion, string(config))
	a.Salt = f.s.salt()
	a.Inputs, err = f.s.o.Store.Compose(map[string]cas.Digest{"src": in[skeletons[f.src]], "deps": depsDigest}, files)
	return a, err
}

// editManifests does so in a fresh copy and has cargo mend the lock file where the edits ask for it.
func (f *fitting) editManifests(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	deps, members, needed, err := f.changes(job.Inputs)
	if err != nil {
		return cas.Digest{}, err
	}
	if !needed {
		return job.Action.Inputs, nil
	}
	if f.lock == nil {
		if err := f.checkLock(job.Inputs[f.src]); err != nil {
			return cas.Digest{}, err
		}
	}
	out, err := f.s.edited(ctx, job.Action.Inputs, func(dir string) error {
		if f.lock != nil {
			if err := os.Rename(filepath.Join(dir, "Cargo.lock"), filepath.Join(dir, "src", filepath.FromSlash(f.r.Cargo.Dir), "Cargo.lock")); err != nil {
				return err
			}
		}
		report, err := f.edit(dir, deps, members)
		if err != nil {
			return err
		}
		fmt.Fprintln(job.Log, "edits:")
		for _, e := range report.Edits {
			fmt.Fprintf(job.Log, "  %s: %s: %s -> %s\n", e.File, e.Key, e.From, e.To)
		}
		if f.r.UsesCargo() {
			if err := f.mendLock(ctx, job, dir, report); err != nil {
				return err
			}
		}
		if err := f.dropUnused(dir, deps, report); err != nil {
			return err
		}
		return listUnreachable(dir, filepath.Join(dir, "src", filepath.FromSlash(f.r.Cargo.Dir)))
	})
	return out, f.s.Explain(ctx, f.r, job.Inputs[f.src], f.r.Cargo.Dir, err)
}

// unreachableName is the file beside src/ in the output of the manifests' step that lists what of the
// workspace is not needed. Only the step that has the sources' content can leave it out.
const unreachableName = "unreached"

func listUnreachable(dir, workspace string) error {
	folders, err := unreachable(workspace)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, unreachableName), []byte(strings.Join(folders, "\n")), 0o644)
}

// edit prunes the workspace to some members, brings what it needs into it and points the manifests there.
func (f *fitting) edit(dir string, deps []dependency, members []string) (*cargoedit.Report, error) {
	src := filepath.Join(dir, "src")
	root := filepath.Join(src, filepath.FromSlash(f.r.Cargo.Dir))
	report := &cargoedit.Report{}
	if len(members) > 0 {
		pruned, err := cargoedit.Prune(root, members)
		if err != nil {
			return nil, err
		}
		report.Add(pruned)
	}
	var replacements []cargoedit.Replacement
	var patches []cargoedit.CratePatch
	for _, d := range deps {
		r := cargoedit.Replacement{URL: d.URL, Version: d.Version, Remove: d.Remove}
		if d.node != nil {
			r.Dir = filepath.Join(root, cargoedit.DepsFolder, d.Folder)
			r.As = path.Join(cargoedit.DepsFolder, d.Folder)
			if err := moveDir(filepath.Join(dir, "deps", d.Folder), r.Dir); err != nil {
				return nil, err
			}
		}
		if d.Crate != "" {
			patches = append(patches, cargoedit.CratePatch{Name: d.Crate, Dir: r.Dir, As: r.As})
			continue
		}
		replacements = append(replacements, r)
	}
	enclosed, err := cargoedit.Enclose(src, root)
	if err != nil {
		return nil, err
	}
	report.Add(enclosed)
	// This goes over _deps too: what takes a dependency's place may have git dependencies of its own.
	replaced, err := cargoedit.Replace(root, replacements)
	if err != nil {
		return nil, err
	}
	report.Add(replaced)
	patched, err := cargoedit.PatchCrates(root, patches)
	if err != nil {
		return nil, err
	}
	report.Add(patched)
	return report, nil
}

func moveDir(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// mendLock lets cargo write Cargo.lock once when the edits made it wrong; versions stay where they
// can. Every later run of cargo is --locked.
func (f *fitting) mendLock(ctx context.Context, job *graph.Job, dir string, report *cargoedit.Report) error {
	manifest := filepath.Join(dir, "src", filepath.FromSlash(f.r.Cargo.Dir), "Cargo.toml")
	if !report.NeedsResolve("Cargo.lock") {
		return nil
	}
	for _, reason := range report.Resolve {
		fmt.Fprintf(job.Log, "%s: %s\n", reason.File, reason.Why)
	}
	lock := filepath.Join(filepath.Dir(manifest), "Cargo.lock")
	if kept, err := f.keptLock(job.Action, lock); err != nil {
		return err
	} else if kept != nil {
		return errors.Join(os.WriteFile(lock, kept, 0o644), f.patchesAreUsed(filepath.Dir(manifest)))
	}
	job.Status("cargo update --workspace")
	if err := f.s.cargo(ctx, job.Log, dir, "update", "--workspace", "--manifest-path", manifest); err != nil {
		if lines := misfits(report); len(lines) > 0 {
			return &Explained{lines, err}
		}
		return err
	}
	if err := f.overridesAreUsed(filepath.Dir(manifest), report); err != nil {
		return err
	}
	if err := f.patchesAreUsed(filepath.Dir(manifest)); err != nil {
		return err
	}
	text, err := os.ReadFile(lock)
	if err != nil {
		return err
	}
	return f.s.o.Fetcher.KeepLock(lockKey(job.Action), text)
}

// lockKey names what a mended lock is made from: the same manifests, edited in the same way. Another cargo would mend it as well.
func lockKey(a *action.Action) string {
	sum := sha256.Sum256([]byte(strings.Join(append(slices.Clone(a.Args), a.Inputs.String()), "\x00")))
	return hex.EncodeToString(sum[:])
}

// keptLock is the lock that cargo wrote here before, or in the run that a bundle of sources comes from; nil without one. What it takes
// from a registry must be what the source's own lock has: the place it comes from may be anybody's.
func (f *fitting) keptLock(a *action.Action, unmended string) ([]byte, error) {
	kept, err := f.s.o.Fetcher.KeptLock(lockKey(a))
	if err != nil || kept == nil {
		return nil, err
	}
	own, err := os.ReadFile(unmended)
	if err != nil {
		return nil, err
	}
	if crates.Mended(own, kept) != nil {
		return nil, nil
	}
	return kept, nil
}

// misfits are the packages that what takes a git dependency's place has in another version than the workspace is locked to.
func misfits(report *cargoedit.Report) []string {
	var lines []string
	for _, c := range report.Lock {
		locked, url := replacedBy(c)
		if url != "" && c.To != locked {
			lines = append(lines, fmt.Sprintf("the workspace is locked to %s %s, and what takes the place of %s has %s %s", c.Name, locked, url, c.Name, c.To))
		}
	}
	return lines
}

// replacedBy is the version that was locked, and the git URL, where a folder took its place; else "".
func replacedBy(c cargoedit.LockChange) (locked, url string) {
	locked, from, _ := strings.Cut(c.From, " ")
	from, ok := strings.CutPrefix(from, "git+")
	if !ok || c.File != "Cargo.lock" || c.To == "" || strings.Contains(c.To, " ") {
		return "", ""
	}
	url, _, _ = strings.Cut(from, "#")
	url, _, _ = strings.Cut(url, "?")
	return locked, url
}

// overridesAreUsed refuses a package of an override that cargo passed over because something asks for another version: the program would be built
// from the registry's, and the build would say that the override is in effect.
func (f *fitting) overridesAreUsed(root string, report *cargoedit.Report) error {
	for _, c := range report.Lock {
		locked, url := replacedBy(c)
		if url == "" || c.To == locked {
			continue
		}
		version, err := cargoedit.UnusedPatch(root, c.Name)
		if err != nil {
			return err
		}
		if version != "" {
			return fmt.Errorf("the override of %s is not used: it has %s %s, and the workspace, which is locked to %s, asks for a later one; give the override a version that fits", url, c.Name, c.To, locked)
		}
	}
	return nil
}

// patchesAreUsed refuses a patched crate of a version that the workspace does not take: the program would be
// built without the patch.
func (f *fitting) patchesAreUsed(root string) error {
	for _, crate := range slices.Sorted(maps.Keys(f.r.Cargo.Patch)) {
		version, err := cargoedit.UnusedPatch(root, crate)
		if err != nil {
			return err
		}
		if version != "" {
			from := f.r.Cargo.Patch[crate]
			return fmt.Errorf("recipes/%s/recipe.toml: [cargo.patch] %s = %q: something in the workspace asks for a later version than %s %s: have a recipe with that version and name it here", f.r.Name, crate, from, from, version)
		}
	}
	return nil
}

// dropUnused leaves only those deps that a manifest refers to now, so that an override that a recipe
// does not use does not change what it is built from.
func (f *fitting) dropUnused(dir string, replaced []dependency, report *cargoedit.Report) error {
	used := map[string]bool{}
	for _, e := range report.Edits {
		for _, d := range replaced {
			if d.Folder != "" && strings.Contains("/"+e.To+"/", "/"+d.Folder+"/") {
				used[d.Folder] = true
			}
		}
	}
	deps := filepath.Join(dir, "src", filepath.FromSlash(f.r.Cargo.Dir), cargoedit.DepsFolder)
	for _, d := range replaced {
		if d.Folder == "" || used[d.Folder] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(deps, d.Folder)); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, "deps"))
}
