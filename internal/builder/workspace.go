package builder

import (
	"context"
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
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

const (
	manifestsVersion = 1
	workspaceVersion = 3
)

// workspace is the node of a recipe's source as cargo sees it, in src/. The sources that take the place
// of git dependencies are inside the workspace, in _deps/: see cargoedit.Enclose for the reason.
//
// It is fitted in two steps: the manifests are edited on outlines of the sources, then the files
// are put where the edited outlines have them.
func (b *Builder) workspace(name string) (*graph.Node, error) {
	r, err := b.recipe(name)
	if err != nil {
		return nil, err
	}
	src, err := b.patched(name)
	if err != nil {
		return nil, err
	}
	return b.once(name+"/workspace", func(n *graph.Node) error {
		w := &workspace{Builder: b, r: r, src: src}
		if err := w.dependencies(); err != nil {
			return err
		}
		if !w.needsWork() {
			n.Deps = []*graph.Node{src}
			n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) {
				if err := w.checkLock(in[src]); err != nil {
					return cas.Digest{}, err
				}
				return b.inputRoot(map[string]cas.Digest{"src": in[src]}, nil)
			}
			return nil
		}
		b.enclosed[name] = true
		manifests, err := w.manifests()
		if err != nil {
			return err
		}
		n.Deps = uniqueNodes(append([]*graph.Node{manifests}, w.sources()...))
		n.Memory = 128 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			return w.fillAction(in, manifests)
		}
		n.Run = func(_ context.Context, job *graph.Job) (cas.Digest, error) {
			return w.fill(job.Inputs, manifests)
		}
		return nil
	})
}

// workspace is what fitting one source to the build is made from.
type workspace struct {
	*Builder
	r    *recipe.Recipe
	src  *graph.Node
	deps []dependency
	lock *graph.Node // recipe folder, when it brings the Cargo.lock
}

// sources are the nodes of all trees that go into the workspace.
func (w *workspace) sources() []*graph.Node {
	all := []*graph.Node{w.src}
	for _, d := range w.deps {
		if d.node != nil {
			all = append(all, d.node)
		}
	}
	return uniqueNodes(all)
}

// fillAction has the sources below their IDs: these are in the outlines.
func (w *workspace) fillAction(in graph.Outputs, manifests *graph.Node) (*action.Action, error) {
	a := builtin("workspace", workspaceVersion)
	dirs := map[string]cas.Digest{"manifests": in[manifests]}
	for i, src := range w.sources() {
		name := fmt.Sprintf("source-%d", i)
		dirs[name] = in[src]
		a.Args = append(a.Args, name+"="+src.ID)
	}
	var err error
	a.Inputs, err = w.inputRoot(dirs, nil)
	return a, err
}

// fill puts the sources' files where the edited outline has them, without those that nothing needs.
func (w *workspace) fill(in graph.Outputs, manifests *graph.Node) (cas.Digest, error) {
	tree, err := w.fillIn(in[manifests], w.sources(), in)
	if err != nil {
		return cas.Digest{}, err
	}
	note, err := w.Store.ReadAll(tree.Entries[unreachedName].Digest)
	if err != nil {
		return cas.Digest{}, err
	}
	delete(tree.Entries, unreachedName)
	root := join("src", w.r.Cargo.Dir)
	below := tree.Sub(root)
	if err := w.dropUnreached(below, lines(note)); err != nil {
		return cas.Digest{}, err
	}
	for p := range tree.Entries {
		if strings.HasPrefix(p, root+"/"+cargoedit.DepsFolder+"/") {
			delete(tree.Entries, p)
		}
	}
	tree.Graft(root, below)
	return w.Store.PutTree(tree)
}

// lines are the lines of a text, none for an empty one.
func lines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// manifests is the node of the workspace's outline with its manifests edited.
func (w *workspace) manifests() (*graph.Node, error) {
	return w.once(w.r.Name+"/manifests", func(n *graph.Node) error {
		outlines := map[*graph.Node]*graph.Node{}
		for _, src := range w.sources() {
			outline, err := w.outline(src)
			if err != nil {
				return err
			}
			outlines[src] = outline
			n.Deps = append(n.Deps, outline)
		}
		if w.lock != nil {
			n.Deps = append(n.Deps, w.lock)
		}
		n.Memory = 256 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) { return w.action(in, outlines) }
		n.Run = w.run
		return nil
	})
}

// dependency is a git URL, or a crate of the registry, and what takes its place.
type dependency struct {
	URL     string `json:"url,omitempty"`
	Crate   string `json:"crate,omitempty"`
	Folder  string `json:"folder,omitempty"` // below deps/
	Version string `json:"version,omitempty"`
	Remove  bool   `json:"remove,omitempty"`
	node    *graph.Node
}

// dependencies collects the replacements of the recipe and those of the user. The recipe's own come
// first: that redox-rt is the relibc being built is no matter of taste.
func (w *workspace) dependencies() error {
	taken := map[string]bool{}
	for _, url := range slices.Sorted(maps.Keys(w.r.Cargo.Replace)) {
		name := w.r.Cargo.Replace[url]
		node, err := w.patched(name)
		if err != nil {
			return err
		}
		taken[source.NormalizeURL(url)] = true
		w.deps = append(w.deps, dependency{URL: url, Folder: name, node: node})
	}
	for _, crate := range slices.Sorted(maps.Keys(w.r.Cargo.Patch)) {
		name := w.r.Cargo.Patch[crate]
		node, err := w.patched(name)
		if err != nil {
			return err
		}
		w.deps = append(w.deps, dependency{Crate: crate, Folder: "crate-" + name, node: node})
	}
	// Sources of this repository have no git dependencies for anybody to override.
	if !w.hasCargo() || w.ownSource() {
		return nil
	}
	for _, url := range w.Overrides.GitURLs() {
		if taken[url] {
			continue
		}
		d, err := w.override(url)
		if err != nil {
			return err
		}
		w.deps = append(w.deps, d)
	}
	w.announce(taken)
	if w.r.Cargo.Lock != "" {
		var err error
		if w.lock, err = w.ownFolder(w.r); err != nil {
			return err
		}
	}
	return nil
}

// ownSource says whether the source lies in this repository.
func (w *workspace) ownSource() bool {
	r := w.r
	for r.Source.SameAs != "" {
		next, err := w.recipe(r.Source.SameAs)
		if err != nil {
			return false
		}
		r = next
	}
	return r.Source.Path != ""
}

// announce says in one line which git dependencies the user's overrides replace.
func (w *workspace) announce(taken map[string]bool) {
	var list []string
	for _, url := range w.Overrides.GitURLs() {
		if o, ok := w.Overrides.GitDependency(url, ""); ok && !taken[url] {
			list = append(list, fmt.Sprintf("%s (%s)", path.Base(url), overrideText(o)))
		}
	}
	if len(list) > 0 {
		w.notice("overrides of git dependencies: %s", strings.Join(list, ", "))
	}
}

// override is what the user puts in place of a git dependency.
func (w *workspace) override(url string) (dependency, error) {
	o, _ := w.Overrides.GitDependency(url, "")
	d := dependency{URL: url, Version: o.Version, Remove: o.Remove}
	if o.Dir == "" {
		return d, nil
	}
	var src source.Source = source.Path(o.Dir)
	if o.Commit != "" {
		src = source.Git{URL: o.Dir, Commit: o.Commit}
	}
	res, err := w.Overrides.Resolve("override of "+url, src)
	if err != nil {
		return d, err
	}
	d.Folder = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, strings.ToLower(url))
	d.node, err = w.sourceTree("override/"+d.Folder, res)
	return d, err
}

func overrideText(o source.GitOverride) string {
	switch {
	case o.Remove:
		return "removed"
	case o.Version != "":
		return "registry version " + o.Version
	}
	return "a folder"
}

func (w *workspace) hasCargo() bool { return hasCargo(w.r) }

func hasCargo(r *recipe.Recipe) bool {
	for _, s := range r.Steps {
		if s.Kind == "cargo" {
			return true
		}
	}
	return false
}

func (w *workspace) needsWork() bool {
	return len(w.deps) > 0 || len(w.r.Cargo.Members) > 0 || w.lock != nil
}

// NoLockError says that a source has no Cargo.lock, so that what is built would depend on the day.
type NoLockError struct{ Recipe string }

func (e *NoLockError) Error() string {
	return fmt.Sprintf("the source of %s has no Cargo.lock: `mage recipe:lock %s` writes one beside the recipe", e.Recipe, e.Recipe)
}

func (w *workspace) checkLock(src cas.Digest) error {
	if !w.hasCargo() {
		return nil
	}
	_, ok, err := w.Store.Lookup(src, path.Join(w.r.Cargo.Dir, "Cargo.lock"))
	if err == nil && !ok {
		err = &NoLockError{w.r.Name}
	}
	return err
}

func (w *workspace) action(in graph.Outputs, outlines map[*graph.Node]*graph.Node) (*action.Action, error) {
	deps := &cas.Directory{}
	for _, d := range w.deps {
		if d.node != nil {
			deps.Dirs = append(deps.Dirs, cas.DirNode{Name: d.Folder, Digest: in[outlines[d.node]]})
		}
	}
	depsDigest, err := w.Store.PutDirectory(deps)
	if err != nil {
		return nil, err
	}
	files := map[string]cas.Entry{}
	if w.lock != nil {
		e, ok, err := w.Store.Lookup(in[w.lock], w.r.Cargo.Lock)
		if err != nil || !ok {
			return nil, errors.Join(err, fmt.Errorf("%s: cargo.lock = %q: there is no such file beside the recipe", w.r.Path, w.r.Cargo.Lock))
		}
		files["Cargo.lock"] = e
	}
	config, err := json.Marshal(map[string]any{"dir": w.r.Cargo.Dir, "members": w.r.Cargo.Members, "deps": w.deps})
	if err != nil {
		return nil, err
	}
	a := builtin("fit-manifests", manifestsVersion, string(config))
	a.Platform = w.platform()
	a.Inputs, err = w.inputRoot(map[string]cas.Digest{"src": in[outlines[w.src]], "deps": depsDigest}, files)
	return a, err
}

// run edits the manifests in a fresh copy and has cargo mend the lock file where the edits ask for it.
func (w *workspace) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	return w.edited(ctx, job.Action.Inputs, func(dir string) error {
		if w.lock != nil {
			if err := os.Rename(filepath.Join(dir, "Cargo.lock"), filepath.Join(dir, "src", filepath.FromSlash(w.r.Cargo.Dir), "Cargo.lock")); err != nil {
				return err
			}
		}
		report, err := w.edit(dir)
		if err != nil {
			return err
		}
		fmt.Fprintln(job.Log, "edits:")
		for _, e := range report.Edits {
			fmt.Fprintf(job.Log, "  %s: %s: %s -> %s\n", e.File, e.Key, e.From, e.To)
		}
		if w.hasCargo() {
			if err := w.mendLock(ctx, job, dir, report); err != nil {
				return err
			}
		}
		if err := w.dropUnused(dir, report); err != nil {
			return err
		}
		return noteUnreached(dir, filepath.Join(dir, "src", filepath.FromSlash(w.r.Cargo.Dir)))
	})
}

// unreachedName is the file beside src/ in the output of the manifests' step that lists what of the
// workspace is not needed. Only the step that has the sources' content can leave it out.
const unreachedName = "unreached"

func noteUnreached(dir, workspace string) error {
	folders, err := unreached(workspace)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, unreachedName), []byte(strings.Join(folders, "\n")), 0o644)
}

// edit prunes the workspace, brings what it needs into it and points the manifests there.
func (w *workspace) edit(dir string) (*cargoedit.Report, error) {
	src := filepath.Join(dir, "src")
	root := filepath.Join(src, filepath.FromSlash(w.r.Cargo.Dir))
	report := &cargoedit.Report{}
	if len(w.r.Cargo.Members) > 0 {
		pruned, err := cargoedit.Prune(root, w.r.Cargo.Members)
		if err != nil {
			return nil, err
		}
		report.Add(pruned)
	}
	var replacements []cargoedit.Replacement
	var patches []cargoedit.CratePatch
	for _, d := range w.deps {
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
func (w *workspace) mendLock(ctx context.Context, job *graph.Job, dir string, report *cargoedit.Report) error {
	manifest := filepath.Join(dir, "src", filepath.FromSlash(w.r.Cargo.Dir), "Cargo.toml")
	if _, err := os.Stat(filepath.Join(filepath.Dir(manifest), "Cargo.lock")); err != nil {
		return &NoLockError{w.r.Name}
	}
	if !report.NeedsResolve("Cargo.lock") {
		return nil
	}
	for _, reason := range report.Resolve {
		fmt.Fprintf(job.Log, "%s: %s\n", reason.File, reason.Why)
	}
	job.Status("cargo update --workspace")
	if err := w.Roots.Tool(ctx, dir, cargoEnv(), w.extraCargoEnv(), job.Log, cargoPath, "update", "--workspace", "--manifest-path", manifest); err != nil {
		return err
	}
	return w.patchesAreUsed(filepath.Dir(manifest))
}

// patchesAreUsed refuses a patched crate of a version that the workspace does not take: the program would be
// built without the patch.
func (w *workspace) patchesAreUsed(root string) error {
	for _, crate := range slices.Sorted(maps.Keys(w.r.Cargo.Patch)) {
		version, err := cargoedit.UnusedPatch(root, crate)
		if err != nil {
			return err
		}
		if version != "" {
			from := w.r.Cargo.Patch[crate]
			return fmt.Errorf("recipes/%s/recipe.toml: [cargo.patch] %s = %q: something in the workspace asks for a later version than %s %s: have a recipe with that version and name it here", w.r.Name, crate, from, from, version)
		}
	}
	return nil
}

// dropUnused leaves only those deps that a manifest refers to now, so that an override that a recipe
// does not use does not change what it is built from.
func (w *workspace) dropUnused(dir string, report *cargoedit.Report) error {
	used := map[string]bool{}
	for _, e := range report.Edits {
		for _, d := range w.deps {
			if d.Folder != "" && strings.Contains("/"+e.To+"/", "/"+d.Folder+"/") {
				used[d.Folder] = true
			}
		}
	}
	deps := filepath.Join(dir, "src", filepath.FromSlash(w.r.Cargo.Dir), cargoedit.DepsFolder)
	for _, d := range w.deps {
		if d.Folder == "" || used[d.Folder] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(deps, d.Folder)); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, "deps"))
}
