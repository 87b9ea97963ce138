package drift

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolchain"
)

const pinned = "nightly-2026-01-02"

func TestAnnotation(t *testing.T) {
	for _, test := range []struct {
		finding Finding
		want    string
	}{
		{
			Finding{Kind: TargetSpec, File: "targets/a.json", Line: 3, Expected: "x", Found: "y", Fix: "mage target:spec -write"},
			"::error file=targets/a.json,line=3,title=drift%3A target-spec::expected x, found y%0Amage target:spec -write",
		},
		{
			Finding{Kind: TargetSpec, File: "a,b:c.json", Expected: "100%", Fix: "f"},
			"::error file=a%2Cb%3Ac.json,title=drift%3A target-spec::expected 100%25, found nothing%0Af",
		},
		{
			Finding{Kind: ToolchainFile, Source: "base", InCheckout: "recipes/base/recipe.toml", File: "rust-toolchain", Line: 1, Expected: "a", Found: "b\nc", Fix: "f"},
			"::error file=recipes/base/recipe.toml,title=drift%3A toolchain-file::base: rust-toolchain:1: expected a, found b%0Ac%0Af",
		},
	} {
		if diff := cmp.Diff(test.want, test.finding.Annotation().String()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestReportJSON(t *testing.T) {
	one := Finding{Kind: ToolchainLock, File: "l", Line: 2, Expected: "a", Found: "b", Fix: "f"}
	source := Finding{Kind: ToolchainFile, Source: "s", File: "r", Expected: "a", Fix: "f", InCheckout: "recipes/s/recipe.toml"}
	for _, test := range []struct {
		report Report
		want   string
	}{
		{Report{}, `{"findings":[],"unchecked":[],"patches":[]}`},
		{
			Report{Findings: []Finding{one, source, one}, Unchecked: []Unchecked{{SourceLock, "w", "y", "f"}}},
			`{"findings":[{"kind":"toolchain-file","source":"s","file":"r","expected":"a","found":"","fix":"f","recipe":"recipes/s/recipe.toml"},` +
				`{"kind":"toolchain-lock","file":"l","line":2,"expected":"a","found":"b","fix":"f"}],` +
				`"unchecked":[{"kind":"source-lock","what":"w","why":"y","fix":"f"}],"patches":[]}`,
		},
	} {
		test.report.finish()
		got, err := json.Marshal(test.report)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFile(t *testing.T) {
	for _, test := range []struct {
		name, text string
		found      string // empty for no finding
		line       int
	}{
		{"rust-toolchain.toml", "[toolchain]\nchannel = \"" + pinned + "\"\n", "", 0},
		{"a/rust-toolchain", pinned + "\n", "", 0},
		{"rust-toolchain", "nightly\n", "nightly", 1},
		{"rust-toolchain", "[toolchain]\n# day\nchannel = 'nightly-2025-10-03'", "nightly-2025-10-03", 3},
		{"rust-toolchain.toml", "[toolchain]\npath = \"../rust\"\n", "path:../rust", 2},
		{"rust-toolchain.toml", "[toolchain]\nprofile = \"minimal\"\n", "no channel", 1},
		{"rust-toolchain.toml", "", "no channel", 1},
		{"rust-toolchain.toml", "channel = \"x\n", "an unreadable file", 0},
	} {
		got := compareFile(pinned, "", "", test.name, []byte(test.text))
		if test.found == "" {
			if len(got) > 0 {
				t.Errorf("%q: %+v", test.text, got)
			}
			continue
		}
		if len(got) != 1 || !strings.HasPrefix(got[0].Found, test.found) || got[0].Line != test.line || !strings.Contains(got[0].Fix, "mage toolchain:pin "+pinned) {
			t.Errorf("%q: %+v", test.text, got)
		}
	}
}

func TestWorkflowFile(t *testing.T) {
	for _, test := range []struct {
		line, found, repinned string
	}{
		{"run: rustup default nightly-2025-10-03", "nightly-2025-10-03", "run: rustup default " + pinned},
		{"run: cargo +nightly fmt", "nightly", "run: cargo +" + pinned + " fmt"},
		{"uses: dtolnay/rust-toolchain@nightly", "nightly", "uses: dtolnay/rust-toolchain@" + pinned},
		{"toolchain: nightly", "nightly", "toolchain: " + pinned},
		{`toolchain: "nightly"`, "nightly", `toolchain: "` + pinned + `"`},
		{"run: echo " + pinned, "", "run: echo " + pinned},
		{"name: the nightly build", "", "name: the nightly build"},
		{"cron: nightly-builds", "", "cron: nightly-builds"},
	} {
		var found []string
		for _, f := range compareWorkflow(pinned, "w", []byte("\n"+test.line)) {
			found = append(found, f.Found)
			if f.Line != 2 {
				t.Errorf("%q: line %d", test.line, f.Line)
			}
		}
		if strings.Join(found, " ") != test.found {
			t.Errorf("%q: found %q", test.line, found)
		}
		if got := string(repinWorkflow(pinned, []byte(test.line))); got != test.repinned {
			t.Errorf("%q: repinned %q", test.line, got)
		}
	}
}

func TestInstalled(t *testing.T) {
	version := toolchain.Version{Release: "1.94.0-nightly", Commit: "aaa", Host: "h"}
	lock := &toolchain.Lock{}
	lock.Record(pinned, version, &toolchain.Identity{Files: map[string]string{"bin/rustc": "1", "bin/cargo": "2"}})
	path := filepath.Join(t.TempDir(), "lock")
	if err := lock.Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	another := version
	another.Commit, another.LLVM = "bbb", "22"
	stranger := version
	stranger.Host = "i"
	for _, test := range []struct {
		version toolchain.Version
		files   map[string]string
		want    []string
		known   bool
	}{
		{version, map[string]string{"bin/rustc": "1", "bin/cargo": "2", "more": "3"}, nil, true},
		{version, map[string]string{"bin/rustc": "x"}, []string{"bin/cargo 2 / ", "bin/rustc 1 / x"}, true},
		{another, map[string]string{"bin/rustc": "x"}, []string{"rustc commit aaa / bbb", "LLVM  / 22"}, true},
		{stranger, nil, nil, false},
	} {
		found, known := compareInstalled("lock", lock, text, test.version, &toolchain.Identity{Files: test.files})
		var got []string
		for _, f := range found {
			got = append(got, f.Expected+" / "+f.Found)
			if f.Line == 0 {
				t.Errorf("%s has no line", f.Expected)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" || known != test.known {
			t.Errorf("known %v: %s", known, diff)
		}
	}
}

// tree is a source in a store of its own.
func tree(t *testing.T, files map[string]string, links map[string]string) *Tree {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all := cas.NewTree()
	for name, text := range files {
		d, err := store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all.Entries[name] = cas.Entry{Digest: d}
	}
	for name, to := range links {
		all.Entries[name] = cas.Entry{Link: to}
	}
	root, err := store.PutTree(all)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenTree(store, root)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestSourceFilesFollowsLinks(t *testing.T) {
	s := &Source{Name: "s", Recipe: "recipes/s/recipe.toml", Tree: tree(t,
		map[string]string{"rust-toolchain.toml": "[toolchain]\nchannel = \"old\"\n", "shared": pinned + "\n"},
		map[string]string{"a/rust-toolchain.toml": "../rust-toolchain.toml", "b/rust-toolchain": "../shared", "c/rust-toolchain": "../../x", "d/rust-toolchain": "rust-toolchain"},
	)}
	found, err := compareSourceFiles(pinned, s)
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{Findings: found}
	r.finish()
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Place()+" "+f.Found)
	}
	want := []string{
		"s: c/rust-toolchain a link that leads out of the source", "s: d/rust-toolchain a link that leads out of the source", "s: rust-toolchain.toml:2 old",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// inSets is a recipe base with these lines as it is in the sets 2026-01 and seed.
func inSets(t *testing.T, text []byte) []*recipe.Recipe {
	t.Helper()
	head, tables, _ := strings.Cut(string(text), "\n")
	r, err := recipe.Parse("recipes/base/recipe.toml", []byte(head+"\ndescription = \"x\"\nsource.path = \".\"\n"+tables))
	if err != nil {
		t.Fatal(err)
	}
	return []*recipe.Recipe{r.In("2026-01"), r.In("2026-01", "seed")}
}

// TestASetWithAPinOfItsOwnHasItsOwnSeries: the series of the first set stays as it is, and takes no part in the other.
func TestASetWithAPinOfItsOwnHasItsOwnSeries(t *testing.T) {
	files := map[string]string{"rust-toolchain": "nightly-2025-11-15\n"}
	for text, want := range map[string]string{
		"patches = [\"one\", \"pin-base\"] # mine\n":                                "patches = [\"one\", \"pin-base\"] # mine\n\n[set.seed]\npatches = [\"one\", \"pin-base-seed\"]\n",
		"patches = [\"pin-base\"]\n[set.seed]\npatches = [\"two\", \"pin-base\"]\n": "patches = [\"pin-base\"]\n[set.seed]\npatches = [\"two\", \"pin-base-seed\"]\n",
	} {
		pin := sourcePin{Recipes: inSets(t, []byte(text))[1:], Variant: "seed", Trees: []*Tree{tree(t, files, nil)}}
		out, err := pin.Files(pinned, fstest.MapFS{}, "recipes/base/recipe.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(out["recipes/base/recipe.toml"])); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(string(out["patches/pin-base-seed/0001-toolchain.toml"]), pinned) {
			t.Errorf("%q", out)
		}
	}
}

// TestPinSeries: the series carries the pin into both forms of file, is satisfied afterwards, follows a
// change of the pin, and is not needed where the file is not.
func TestPinSeries(t *testing.T) {
	sources := map[string]map[string]string{
		"toml":   {"rust-toolchain.toml": "# top\n[toolchain]\n  channel = 'nightly-2025-10-03' # day\nprofile = \"minimal\"\n", "sub/rust-toolchain": "nightly-2025-11-15\n"},
		"legacy": {"rust-toolchain": "nightly-2025-11-15\n"},
		"new":    {"rust-toolchain": "[toolchain]\nchannel=\"nightly-2025-11-15\"\n"},
	}
	for name, files := range sources {
		text := []byte("patches = [\"one\"] # mine\n[set.seed]\npatches = []\n")
		patches := fstest.MapFS{}
		for _, channel := range []string{pinned, "nightly-2026-03-01"} {
			out, err := sourcePin{Recipes: inSets(t, text), Trees: []*Tree{tree(t, files, nil)}}.Files(channel, patches, "recipes/base/recipe.toml", text)
			if err != nil {
				t.Fatal(name, err)
			}
			for p, content := range out {
				if rest, ok := strings.CutPrefix(p, "patches/"); ok {
					patches[rest] = &fstest.MapFile{Data: content}
				}
			}
			if changed, ok := out["recipes/base/recipe.toml"]; ok {
				want := "patches = [\"one\", \"pin-base\"] # mine\n[set.seed]\npatches = [\"pin-base\"]\n"
				if diff := cmp.Diff(want, string(changed)); diff != "" {
					t.Error(name, diff)
				}
				text = changed
			}
			source := &Source{Name: "base", Series: []string{"pin-base"}, Tree: tree(t, files, nil)}
			for range 2 { // the second time all is satisfied
				if found, _, err := patchTree(t.Context(), patches, "patches", source); err != nil || len(found) > 0 {
					t.Fatalf("%s: %v %+v", name, err, found)
				}
			}
			if found, err := compareSourceFiles(channel, source); err != nil || len(found) > 0 {
				t.Errorf("%s: %v %+v", name, err, found)
			}
		}
		without := &Source{Name: "base", Series: []string{"pin-base"}, Tree: tree(t, map[string]string{"x": ""}, nil)}
		if found, states, err := patchTree(t.Context(), patches, "patches", without); err != nil || len(found) > 0 || !strings.Contains(states[0].Summary, "not-needed") {
			t.Errorf("%s: %v %+v %+v", name, err, found, states)
		}
	}
}

func TestPinSeriesKeepsTheRest(t *testing.T) {
	text := "# top\n[toolchain]\nchannel = 'nightly-2025-10-03' # day\nprofile = \"minimal\"\n"
	out, err := sourcePin{Recipes: []*recipe.Recipe{{Name: "base"}}, Trees: []*Tree{tree(t, map[string]string{"rust-toolchain.toml": text}, nil)}}.Files(pinned, fstest.MapFS{}, "r", []byte("description = \"d\"\n\n[source]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("description = \"d\"\npatches = [\"pin-base\"]\n\n[source]\n", string(out["r"])); diff != "" {
		t.Error(diff)
	}
	source := &Source{Series: []string{"pin-base"}, Tree: tree(t, map[string]string{"rust-toolchain.toml": text}, nil)}
	patches := fstest.MapFS{"pin-base/0001-toolchain.toml": &fstest.MapFile{Data: out["patches/pin-base/0001-toolchain.toml"]}}
	if _, _, err := patchTree(t.Context(), patches, "patches", source); err != nil {
		t.Fatal(err)
	}
	f, err := source.Tree.ReadFile("rust-toolchain.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := "# top\n[toolchain]\nchannel = \"" + pinned + "\" # day\nprofile = \"minimal\"\n"
	if diff := cmp.Diff(want, string(f.Data)); diff != "" {
		t.Error(diff)
	}
}

func TestPinSeriesRefuses(t *testing.T) {
	for _, text := range []string{"toolchain = { channel = \"a\" }\n", "[toolchain\n", "[toolchain]\npath = \"x\"\n"} {
		_, err := sourcePin{Recipes: []*recipe.Recipe{{Name: "b"}}, Trees: []*Tree{tree(t, map[string]string{"a/rust-toolchain.toml": text}, nil)}}.Files(pinned, fstest.MapFS{}, "r", nil)
		if err == nil || !strings.Contains(err.Error(), "a/rust-toolchain.toml") {
			t.Errorf("%q: the error does not name the file: %v", text, err)
		}
	}
}

func TestLockCompare(t *testing.T) {
	all := []string{"Cargo.lock", "sub/Cargo.lock", "x/Cargo.lock", "y/Cargo.lock"}
	locked := &Source{Name: "a", Identity: "git:1", Locks: all, Tree: tree(t, map[string]string{"Cargo.lock": "1", "x/Cargo.lock": "2", "sub/Cargo.lock": "3", "nobody/Cargo.lock": "4"}, nil)}
	lock := &Lock{Source: map[string]LockedSource{}}
	if changed, err := lock.Record(locked); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if changed, err := lock.Record(locked); err != nil || changed {
		t.Fatal("recorded twice", err)
	}
	path := filepath.Join(t.TempDir(), "lock.toml")
	if err := lock.Write(path); err != nil {
		t.Fatal(err)
	}
	lock, text, err := LoadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]string{"Cargo.lock": "1", "x/Cargo.lock": "other", "y/Cargo.lock": "new"}
	for _, test := range []struct {
		name   string
		source Source
		want   []string
	}{
		{"same", *locked, nil},
		{"changed, new and gone", Source{Name: "a", Identity: "git:1", Tree: tree(t, now, nil)}, []string{"sub/Cargo.lock", "x/Cargo.lock", "y/Cargo.lock"}},
		{"submodule overridden", Source{Name: "a", Identity: "git:1", OverriddenBelow: []string{"sub"}, Tree: tree(t, map[string]string{"Cargo.lock": "1", "x/Cargo.lock": "2", "sub/Cargo.lock": "z"}, nil)}, nil},
		{"overridden", Source{Name: "a", Identity: "git:1", Overridden: true, Tree: tree(t, now, nil)}, nil},
		{"another commit", Source{Name: "a", Identity: "git:2", Tree: tree(t, now, nil)}, []string{LockFile}},
		{"not locked", Source{Name: "b", Identity: "git:2", Tree: tree(t, now, nil)}, []string{LockFile}},
	} {
		test.source.Locks = all
		found := lock.Compare(&test.source, text)
		var got []string
		for _, f := range append(lock.Identity(&test.source, text), found...) {
			got = append(got, f.File)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	if gone := lock.Gone([]string{"b"}, text); len(gone) != 1 || gone[0].Line == 0 {
		t.Errorf("gone: %+v", gone)
	}
	if !lock.Prune([]string{"b"}) || len(lock.Source) != 0 {
		t.Error("what is gone stays locked")
	}
}

// What lies below an overridden submodule cannot be looked at; what was noted of it belongs to the commit it was
// noted for.
func TestRecordKeepsWhatIsOverriddenForTheSameCommitOnly(t *testing.T) {
	for identity, want := range map[string]map[string]string{
		"git:1": {"sub/Cargo.lock": "noted before"},
		"git:2": {},
	} {
		lock := &Lock{Source: map[string]LockedSource{"a": {Identity: "git:1", Cargo: map[string]string{"sub/Cargo.lock": "noted before"}}}}
		s := &Source{Name: "a", Identity: identity, Locks: []string{"sub/Cargo.lock"}, OverriddenBelow: []string{"sub"},
			Tree: tree(t, map[string]string{"sub/Cargo.lock": "somebody's"}, nil)}
		changed, err := lock.Record(s)
		if err != nil || changed != (identity == "git:2") {
			t.Errorf("%s: changed %t, %v", identity, changed, err)
		}
		if diff := cmp.Diff(LockedSource{identity, want}, lock.Source["a"]); diff != "" {
			t.Errorf("%s: %s", identity, diff)
		}
	}
}

// What is recorded are files of the pinned source, and nothing else that has their names.
func TestRecordTakesThePinnedFilesOnly(t *testing.T) {
	lock := &Lock{Source: map[string]LockedSource{}}
	s := &Source{Name: "a", Identity: "git:1", Locks: []string{"Cargo.lock", "link/Cargo.lock", "sub/Cargo.lock", "subway/Cargo.lock"}, OverriddenBelow: []string{"sub"},
		Tree: tree(t, map[string]string{"Cargo.lock": "1", "sub/Cargo.lock": "2", "subway/Cargo.lock": "3"}, map[string]string{"link/Cargo.lock": "../Cargo.lock"})}
	if _, err := lock.Record(s); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"Cargo.lock": cas.DigestBytes([]byte("1")).Hash, "subway/Cargo.lock": cas.DigestBytes([]byte("3")).Hash}
	if diff := cmp.Diff(want, lock.Source["a"].Cargo); diff != "" {
		t.Error(diff)
	}
	s.Overridden = true
	if changed, err := lock.Record(s); err == nil || changed || !strings.Contains(err.Error(), "a is overridden") {
		t.Errorf("an overridden source: %t, %v", changed, err)
	}
}

// An exported sysroot is what its manifest says, file by file.
func TestObjectsOfASysroot(t *testing.T) {
	sum := func(text string) string { return cas.DigestBytes([]byte(text)).Hash }
	manifest := fmt.Sprintf(`{"toolchain": "rustc 1", "spec_sha256": "s", "files": [
 {"path": "lib/same", "sha256": %q}, {"path": "lib/changed", "sha256": %q}, {"path": "lib/gone", "sha256": %q}, {"path": "lib/link", "link": "same"}]}`, sum("same"), sum("old"), sum("gone"))
	files := fstest.MapFS{"manifest.json": {Data: []byte(manifest)}}
	for name, text := range map[string]string{"same": "same", "changed": "new", "foreign": "x"} {
		files["root/lib/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	for _, test := range []struct {
		toolchain, spec string
		want            []string
	}{
		{"rustc 1", "s", []string{"root/lib/changed: sha256 " + sum("old"), "root/lib/foreign: no such file: its origin is not known", "root/lib/gone: sha256 " + sum("gone")}},
		{"rustc 2", "t", []string{"manifest.json: built by rustc 2", "manifest.json: built for target spec t",
			"root/lib/changed: sha256 " + sum("old"), "root/lib/foreign: no such file: its origin is not known", "root/lib/gone: sha256 " + sum("gone")}},
	} {
		found, err := compareStage(stage{Recipe: "sysroot", Dir: "out/sysroot", Files: files, Toolchain: test.toolchain, Spec: test.spec})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			got = append(got, strings.TrimPrefix(f.File, "out/sysroot/")+": "+f.Expected)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTreeIsOnlyChangedInMemory(t *testing.T) {
	all := func(string) bool { return true }
	tr := tree(t, map[string]string{"a": "1", "b": "2"}, map[string]string{"l": "a"})
	if err := tr.WriteFile("a", patch.File{Data: []byte("new")}); err != nil {
		t.Fatal(err)
	}
	if err := tr.Remove("b"); err != nil {
		t.Fatal(err)
	}
	if err := tr.Remove("b"); err == nil {
		t.Error("removed twice")
	}
	if err := tr.WriteFile("../x", patch.File{}); err == nil {
		t.Error("a path that leaves the tree is written")
	}
	names, err := tr.List()
	if diff := cmp.Diff([]string{"a", "l"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if diff := cmp.Diff([]string{"a"}, tr.named(all)); diff != "" {
		t.Error(diff)
	}
	if f, err := tr.ReadFile("l"); err != nil || !f.Link || string(f.Data) != "a" {
		t.Errorf("%+v %v", f, err)
	}
	if err := tr.WriteFile("m", patch.File{Data: []byte("l"), Link: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"l": "a", "m": "a"}, tr.links(all)); diff != "" {
		t.Error(diff)
	}
	if f, err := tr.ReadFile("a"); err != nil || string(f.Data) != "new" {
		t.Error(string(f.Data), err)
	}
}
