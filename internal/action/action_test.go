package action

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/cas"
)

func sample() *Action {
	return &Action{
		Args:    []string{"cargo", "build"},
		Env:     map[string]string{"B": "2", "A": "1"},
		Outputs: []string{"out"},
		Salt:    map[string]string{"toolchain": "t"},
		Inputs:  cas.DigestBytes(nil),
	}
}

// Hand-made from remote_execution.proto: arguments 1, environment_variables 2 (sorted by name),
// output_paths 7.
func TestCommandBytesAreTheRemoteExecutionAPIs(t *testing.T) {
	want := "\x0a\x05cargo\x0a\x05build" +
		"\x12\x06\x0a\x01A\x12\x011" + "\x12\x06\x0a\x01B\x12\x012" +
		"\x3a\x03out"
	if got := string(sample().Command()); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// command_digest 1, input_root_digest 2, salt 9; a Digest is hash 1 and, unless it is 0, size_bytes 2.
func TestActionBytesAreTheRemoteExecutionAPIs(t *testing.T) {
	command := cas.DigestBytes(sample().Command())
	want := "\x0a\x44\x0a\x40" + command.Hash + "\x10" + string(rune(command.Size)) +
		"\x12\x42\x0a\x40" + cas.DigestBytes(nil).Hash + "\x4a\x0etoolchain=\"t\"\n"
	if got := string(sample().Message()); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// No input is the empty folder: an empty Digest would be no valid one.
	empty := sample()
	empty.Inputs = cas.Digest{}
	if empty.Digest() != sample().Digest() {
		t.Error("no inputs have another digest than the empty folder")
	}
}

func TestEveryFieldIsInTheDigest(t *testing.T) {
	base := sample().Digest()
	changes := map[string]func(*Action){
		"args":               func(a *Action) { a.Args = append(a.Args, "--release") },
		"env":                func(a *Action) { a.Env["A"] = "x" },
		"outputs":            func(a *Action) { a.Outputs = []string{"other"} },
		"salt":               func(a *Action) { a.Salt["toolchain"] = "u" },
		"a name in the salt": func(a *Action) { a.Salt = map[string]string{"toolchain=\"t\"\nx": ""} },
		"inputs":             func(a *Action) { a.Inputs = cas.DigestBytes([]byte("x")) },
	}
	for name, change := range changes {
		a := sample()
		change(a)
		if a.Digest() == base {
			t.Errorf("a change of %s does not change the digest", name)
		}
	}
}

// Outputs are a set.
func TestTheOrderOfOutputsIsNotInTheDigest(t *testing.T) {
	a, b := sample(), sample()
	a.Outputs, b.Outputs = []string{"one", "two"}, []string{"two", "one"}
	if a.Digest() != b.Digest() {
		t.Error("the same outputs have two digests")
	}
}

// A result without an output would go into the next step as nothing at all.
func TestResultWithoutAnOutputIsNone(t *testing.T) {
	c, d := OpenCache(t.TempDir()), sample().Digest()
	if err := c.Put(d, Result{Node: "n"}); err != nil {
		t.Fatal(err)
	}
	if r, ok, err := c.Get(d); ok || err != nil {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestCacheDropsDamagedEntries(t *testing.T) {
	c := OpenCache(t.TempDir())
	d := sample().Digest()
	r := Result{Output: cas.DigestBytes([]byte("o")), Node: "n", Start: time.Unix(1, 0).UTC(), Duration: time.Second, Notices: []string{"odd"}}
	if err := c.Put(d, r); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := c.Get(d); err != nil || !ok || !reflect.DeepEqual(got, r) {
		t.Fatalf("got %+v %v %v", got, ok, err)
	}
	b, _ := os.ReadFile(c.Path(d))
	flipped := strings.Replace(string(b), `"node":"n"`, `"node":"m"`, 1)
	if err := os.WriteFile(c.Path(d), []byte(flipped), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Get(d); ok || err != nil {
		t.Errorf("a damaged entry was believed (err %v)", err)
	}
	if _, err := os.Stat(c.Path(d)); err == nil {
		t.Error("a damaged entry was kept")
	}
}

func TestDifferencesNameFieldsAndFiles(t *testing.T) {
	s, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tree := func(content string) cas.Digest {
		blob, _ := s.PutBytes([]byte(content))
		tr := cas.NewTree()
		tr.Entries["src/main.rs"] = cas.Entry{Digest: blob}
		d, err := s.PutTree(tr)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a, b := sample(), sample()
	a.Inputs, b.Inputs = tree("one"), tree("two")
	b.Env["A"] = "changed"
	var got []string
	for _, d := range Differences(s, a, b) {
		got = append(got, d.Field)
	}
	if want := "environment A,file src/main.rs"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// What a person changes is named by its field: a file, a flag, the tool, a dependency.
func TestDifferencesNameWhatWasChanged(t *testing.T) {
	s, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inputs := func(files map[string]string) cas.Digest {
		tree := cas.NewTree()
		for name, text := range files {
			d, err := s.PutBytes([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			tree.Entries[name] = cas.Entry{Digest: d}
		}
		d, err := s.PutTree(tree)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	files := func() map[string]string {
		return map[string]string{"src/main.rs": "1", "src/old.rs": "1", "std/lib/libcore.rlib": "1", "sysroot/lib/libc.a": "1"}
	}
	changed := func(change func(map[string]string)) func(*Action) {
		return func(a *Action) {
			f := files()
			change(f)
			a.Inputs = inputs(f)
		}
	}
	for name, c := range map[string]struct {
		change func(*Action)
		want   Difference
	}{
		"file":               {changed(func(f map[string]string) { f["src/main.rs"] = "2" }), Difference{"file src/main.rs", "6b86b273ff34", "d4735e3a265e"}},
		"new file":           {changed(func(f map[string]string) { f["src/new.rs"] = "2" }), Difference{"file src/new.rs", "", "d4735e3a265e"}},
		"file gone":          {changed(func(f map[string]string) { delete(f, "src/old.rs") }), Difference{"file src/old.rs", "6b86b273ff34", ""}},
		"C library":          {changed(func(f map[string]string) { f["sysroot/lib/libc.a"] = "2" }), Difference{"file sysroot/lib/libc.a", "6b86b273ff34", "d4735e3a265e"}},
		"standard library":   {changed(func(f map[string]string) { f["std/lib/libcore.rlib"] = "2" }), Difference{"file std/lib/libcore.rlib", "6b86b273ff34", "d4735e3a265e"}},
		"order":              {func(a *Action) { slices.Reverse(a.Args) }, Difference{"argument order", "[cargo build]", "[build cargo]"}},
		"flag":               {func(a *Action) { a.Args = append(a.Args, "--features=x") }, Difference{"argument", "", "--features=x"}},
		"flag of the linker": {func(a *Action) { a.Env["RUSTFLAGS"] = "-Clink-arg=-z" }, Difference{"environment RUSTFLAGS", "", "-Clink-arg=-z"}},
		"tool":               {func(a *Action) { a.Salt["toolchain"] = "rustc 2" }, Difference{"salt toolchain", "rustc 1", "rustc 2"}},
		"output":             {func(a *Action) { a.Outputs = []string{"target/init"} }, Difference{"output", "", "target/init"}},
	} {
		before := func() *Action {
			return &Action{Args: []string{"cargo", "build"}, Env: map[string]string{"A": "1"}, Salt: map[string]string{"toolchain": "rustc 1"}, Inputs: inputs(files())}
		}
		after := before()
		c.change(after)
		got := Differences(s, before(), after)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A result that is being written by another process is not damage; what a killed one left goes in time.
func TestWalkKnowsHalfWrittenEntries(t *testing.T) {
	c := OpenCache(t.TempDir())
	d := sample().Digest()
	if err := c.Put(d, Result{Output: cas.DigestBytes([]byte("o")), Node: "n"}); err != nil {
		t.Fatal(err)
	}
	fresh, old := filepath.Join(filepath.Dir(c.Path(d)), ".fresh123"), filepath.Join(filepath.Dir(c.Path(d)), ".old123")
	for _, path := range []string{fresh, old} {
		if err := os.WriteFile(path, []byte(`{"resu`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * usedWindow)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	n := 0
	damaged, err := c.Walk(func(cas.Digest, Result, fs.FileInfo) error { n++; return nil })
	if err != nil || damaged != 0 || n != 1 {
		t.Errorf("damaged %d, entries %d, err %v", damaged, n, err)
	}
	_, freshErr := os.Stat(fresh)
	_, oldErr := os.Stat(old)
	if freshErr != nil || oldErr == nil {
		t.Errorf("fresh %v, old %v", freshErr, oldErr)
	}
}

func TestAUsedEntryIsYoung(t *testing.T) {
	c := OpenCache(t.TempDir())
	d := sample().Digest()
	if err := c.Put(d, Result{Output: cas.DigestBytes([]byte("o")), Node: "n"}); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-30 * 24 * time.Hour)
	if err := os.Chtimes(c.Path(d), past, past); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Get(d); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if info, err := os.Stat(c.Path(d)); err != nil || time.Since(info.ModTime()) > time.Minute {
		t.Errorf("last used %v, %v", info.ModTime(), err)
	}
}
