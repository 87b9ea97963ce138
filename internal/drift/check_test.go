package drift

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// TestEveryKindHasARow: a kind that is declared and not in the table is never looked for.
func TestEveryKindHasARow(t *testing.T) {
	var rows []string
	for _, k := range Kinds() {
		if k.Kind == "" || !strings.Contains(k.Compares, " with ") || k.Mend == "" || k.check == nil {
			t.Errorf("the row is not complete: %+v", k)
		}
		rows = append(rows, string(k.Kind))
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && fmt.Sprint(v.Type) == "Kind" {
				declared = append(declared, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
			}
			return true
		})
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(declared)), slices.Sorted(slices.Values(rows))); diff != "" {
		t.Errorf("declared(-) in the table(+):\n%s", diff)
	}
}

// fakeSources gives trees, or what is wrong instead, by recipe.
type fakeSources struct {
	trees      map[string]cas.Digest
	problems   map[string]error
	unresolved map[string]error
}

func (f *fakeSources) Pinned(r *recipe.Recipe) (*source.Resolved, error) {
	return (&source.Overrides{}).Resolve(r.Name, source.Git{URL: r.Source.Git, Commit: r.Source.Commit})
}

func (f *fakeSources) Resolved(r *recipe.Recipe) (*source.Resolved, error) {
	if err := f.unresolved[r.Name]; err != nil {
		return nil, err
	}
	return f.Pinned(r)
}

func (f *fakeSources) Tree(_ context.Context, recipe string) (cas.Digest, error) {
	return f.trees[recipe], f.problems[recipe]
}

// newCheckout is a checkout with recipes of these names; each has a git source and, under patches/, a series of its own name if it is
// in series.
func newCheckout(t *testing.T, names, series []string) (*Checkout, *fakeSources) {
	t.Helper()
	root := t.TempDir()
	store, err := cas.Open(filepath.Join(root, "cas"))
	if err != nil {
		t.Fatal(err)
	}
	sources := &fakeSources{map[string]cas.Digest{}, map[string]error{}, map[string]error{}}
	c := &Checkout{
		Root: root, Targets: filepath.Join(root, "targets"), Patches: filepath.Join(root, "patches"), Out: filepath.Join(root, "out", "t"),
		Pin: filepath.Join(root, "toolchain", "toolchain.toml"), PinLock: filepath.Join(root, "toolchain", "toolchain.lock.toml"),
		Overrides: filepath.Join(root, "overrides.toml"), Active: true, Recipes: recipe.Set{}, Store: store, Sources: sources,
	}
	for _, name := range names {
		r := &recipe.Recipe{Name: name, Path: filepath.Join(root, "recipes", name, "recipe.toml")}
		r.Source.Git, r.Source.Commit = "https://example.org/"+name, strings.Repeat("a", 40)
		if slices.Contains(series, name) {
			r.Patches = []string{name}
		}
		c.Recipes[name] = r
	}
	return c, sources
}

func (f *fakeSources) put(t *testing.T, c *Checkout, name string, files map[string]string) {
	t.Helper()
	tree := cas.NewTree()
	for file, text := range files {
		d, err := c.Store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tree.Entries[file] = cas.Entry{Digest: d}
	}
	var err error
	if f.trees[name], err = c.Store.PutTree(tree); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// installed is a toolchain of rustup's that was measured, of a release.
func installed(release string) *toolchain.Installed {
	pin := &toolchain.Pin{}
	pin.Toolchain.Channel = pinned
	version := toolchain.Version{Release: release, Commit: strings.Repeat("b", 40), Host: "h"}
	return &toolchain.Installed{
		Pin: pin, Toolchain: &toolchain.Toolchain{Provider: toolchain.FromRustup}, Version: &version,
		Caps: &toolchain.Capabilities{Version: version, SoftFloatABI: map[string]string{"x86_64": "x86-softfloat"}},
	}
}

// TestWhySourcesAreMissing: what keeps a source from being compared is said once for each kind that would look at it, with what helps.
func TestWhySourcesAreMissing(t *testing.T) {
	c, sources := newCheckout(t, []string{"crate", "far", "new", "odd", "torn"}, []string{"new"})
	sources.problems["crate"] = fmt.Errorf("fetching: %w", &source.NoCargoError{})
	sources.problems["far"] = fmt.Errorf("fetching: %w", &source.HostError{Host: "example.org", Err: errors.New("no route")})
	sources.problems["new"] = fmt.Errorf("fetching: %w", &source.OfflineError{})
	sources.problems["torn"] = errors.New("the archive is torn\nat byte 7")
	sources.unresolved["odd"] = errors.New("overrides.toml:3: no such folder")
	write(t, c.Pin, "")
	r, err := Check(t.Context(), c, installed("1.94.0-nightly"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range r.Unchecked {
		if u.Kind == ToolchainFile || u.Kind == PatchSeries {
			got = append(got, fmt.Sprintf("%s: %s: %s: %s", u.Kind, u.What, u.Why, u.Fix))
		}
	}
	want := []string{
		"toolchain-file: source of crate: it is a crate, and there is no cargo to get it: mage toolchain:install",
		"toolchain-file: source of far: host example.org cannot be reached: name a [mirror] in overrides.toml, then mage fetch",
		"toolchain-file: source of new: it is not fetched: mage fetch",
		"toolchain-file: source of odd: overrides.toml:3: no such folder: mend overrides.toml",
		"toolchain-file: source of torn: the archive is torn: mage fetch",
		"patch-series: source of new: it is not fetched: mage fetch",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(len(Kinds()), len(r.Kinds)); diff != "" {
		t.Errorf("the report does not say what was compared: %s", diff)
	}
}

// TestPatchesAreAppliedOnce: toolchain files are compared as patches leave them; where a series cannot be read, that is said, and the
// other sources are compared.
func TestPatchesAreAppliedOnce(t *testing.T) {
	c, sources := newCheckout(t, []string{"bad", "good", "plain"}, []string{"bad", "good"})
	for name := range c.Recipes {
		sources.put(t, c, name, map[string]string{"rust-toolchain": "nightly-2020-01-01\n"})
	}
	write(t, filepath.Join(c.Patches, "good", "0001-a.toml"), "title = \"t\"\nreason = \"r\"\n[[edit]]\nfile = \"rust-toolchain\"\nanchor = \"nightly-2020-01-01\"\nwhere = \"replace\"\ntext = \""+pinned+"\"\n")
	write(t, filepath.Join(c.Patches, "bad", "0001-a.toml"), "[edit\n")
	write(t, c.Pin, "")
	r, err := Check(t.Context(), c, installed("1.94.0-nightly"))
	if err == nil || strings.Count(err.Error(), "0001-a.toml") != 1 {
		t.Errorf("the series is not named once: %v", err)
	}
	var files []string
	for _, f := range r.Findings {
		if f.Kind == ToolchainFile {
			files = append(files, f.Place())
		}
	}
	if diff := cmp.Diff([]string{"plain: rust-toolchain:1"}, files); diff != "" {
		t.Error(diff)
	}
	if len(r.Patches) != 1 || r.Patches[0] != (SeriesState{"good", "good", "1 applied"}) {
		t.Errorf("got %+v", r.Patches)
	}
}

// TestNewCompilerIsNamed: who changes the pin learns of the list of compilers that machines without the toolchain go by.
func TestNewCompilerIsNamed(t *testing.T) {
	c, _ := newCheckout(t, nil, nil)
	check := func(in *toolchain.Installed) *Report {
		r := &Report{}
		if err := checkTargetSpecs(t.Context(), &inputs{checkout: c, toolchain: in}, r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := check(installed("1.94.0-nightly")); len(r.Findings)+len(r.Unchecked) > 0 {
		t.Errorf("a known compiler: %+v", r)
	}
	row := `{Release:"1.99.0-nightly", PointerWidthString:false, SoftFloatABI:map[string]string{"x86_64":"x86-softfloat"}, NoWeakLinkage:false}`
	if r := check(installed("1.99.0-nightly")); len(r.Unchecked) != 1 || r.Unchecked[0].Fix != "add to internal/targetspec/compilers.go: "+row {
		t.Errorf("an unknown compiler: %+v", r)
	}
	if r := check(installed("1.96.0-nightly")); len(r.Findings) != 1 || r.Findings[0].File != "internal/targetspec/compilers.go" || r.Findings[0].Expected == r.Findings[0].Found {
		t.Errorf("a compiler that is another by now: %+v", r)
	}
	none := &toolchain.Installed{Pin: installed("").Pin, Problem: errors.New("not here")}
	if r := check(none); len(r.Unchecked) != 1 || r.Unchecked[0].Fix != "mage toolchain:install" {
		t.Errorf("no compiler: %+v", r)
	}
}

// TestLockSources: what is here is locked, what is gone is dropped, what is missing keeps what fits and is an error else.
func TestLockSources(t *testing.T) {
	c, sources := newCheckout(t, []string{"here", "kept", "lost"}, nil)
	for _, name := range []string{"here", "kept"} {
		sources.put(t, c, name, map[string]string{"Cargo.lock": name})
	}
	sources.problems["lost"] = &source.OfflineError{}
	write(t, c.path(LockFile), "[source.gone]\nidentity = \"git:1\"\n")
	locked, err := LockSources(t.Context(), c)
	if err == nil || err.Error() != "lost is not locked: it is not fetched" {
		t.Errorf("got %v", err)
	}
	id := "git:" + strings.Repeat("a", 40)
	if diff := cmp.Diff(&Locked{Written: []LockedNow{{"here", id}, {"kept", id}}, Sources: 2}, locked); diff != "" {
		t.Error(diff)
	}
	sources.problems["kept"] = &source.OfflineError{}
	delete(c.Recipes, "lost")
	if locked, err = LockSources(t.Context(), c); err != nil || len(locked.Written) != 0 || locked.Sources != 2 {
		t.Errorf("locked again: %+v, %v", locked, err)
	}
}

// TestLocksAreThoseOfCargoSteps: a folder of C programs may have a Cargo.lock of upstream's, by which nothing is built.
func TestLocksAreThoseOfCargoSteps(t *testing.T) {
	c, sources := newCheckout(t, []string{"c", "tests"}, nil)
	c.Recipes["c"].Cargo.Dir = "crates"
	c.Recipes["c"].Steps = []recipe.Step{{Kind: recipe.KindCargo, Dir: "one"}}
	c.Recipes["tests"].Source = recipe.Source{SameAs: "c"}
	c.Recipes["tests"].Steps = []recipe.Step{{Kind: recipe.KindCPrograms, Dir: "tests"}}
	sources.put(t, c, "c", map[string]string{"crates/Cargo.lock": "1", "crates/one/Cargo.lock": "2", "one/Cargo.lock": "3", "tests/Cargo.lock": "4"})
	write(t, c.path(LockFile), "")
	if _, err := LockSources(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	lock, _, err := LoadLock(c.path(LockFile))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"crates/Cargo.lock", "crates/one/Cargo.lock"}, slices.Sorted(maps.Keys(lock.Source["c"].Cargo))); diff != "" {
		t.Error(diff)
	}
}

// TestByReason: one reason is said once, with the first things and how much there is of each kind.
func TestByReason(t *testing.T) {
	r := &Report{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		r.skip(PatchSeries, name, "far away", "go there")
		r.skip(ToolchainFile, name, "far away", "go there")
	}
	r.skip(Sysroot, "s", "far away", "come back")
	r.skip(Sysroot, "s", "unknown", "learn")
	r.finish()
	var got []string
	for _, g := range ByReason(r.Unchecked) {
		got = append(got, g.Annotation(len(got) > 0).String())
	}
	want := []string{
		"::warning title=drift%3A not checked::far away: a, b, c and 2 more (5 toolchain-file, 5 patch-series)%0Ago there",
		"::error title=drift%3A not checked::far away: s (1 sysroot)%0Acome back",
		"::error title=drift%3A not checked::unknown: s (1 sysroot)%0Alearn",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
