package rustbuild

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/rustbuild/rustbuildtest"
	"github.com/pannous/redox-clif/internal/toolchain"
)

func TestBuild(t *testing.T) {
	k := newKit(t)
	dir := k.whole()
	if got := k.compiled(); got != "rustc_index rustc_middle cranelift std" {
		t.Errorf("compiled %s", got)
	}
	found, err := toolchain.Open(k.build.Store.Link("fake"))
	if err != nil {
		t.Fatal(err)
	}
	if found.Host != k.build.Host || found.Library == "" || found.Lld() == "" || found.Tools["llvm-nm"] == "" {
		t.Errorf("not a whole toolchain: %+v", found)
	}
	out, err := ask(t.Context(), found.Cargo, "-V", "two words")
	if err != nil || out != "cargo channel=nightly -V two words\n" {
		t.Errorf("cargo: %q, %v", out, err)
	}
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"backend/a.toml: the backend"}; !slices.Equal(m.Applied, want) || m.LLVM != "22.1.8" {
		t.Errorf("manifest %+v", m)
	}
	if got, err := k.build.Store.Resolve("fake"); err != nil || got != dir {
		t.Errorf("resolves to %s, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(k.build.Store.Dir, partialPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The settings of x.py are the recipe's and the machine's, and nothing of the environment comes through.
func TestCommand(t *testing.T) {
	t.Setenv("RUSTFLAGS", "-Cbad")
	k := newKit(t)
	k.extractAndPatch()
	c := k.command()
	text, err := os.ReadFile(filepath.Join(k.build.Source(), "bootstrap.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"channel = 'nightly'", "jobs = 2", "llvm-config = '" + k.build.LLVM.Config, "cargo = '" + k.cargo} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(strings.Join(c.Env, " "), "RUSTFLAGS") || !slices.Contains(c.Env, "LC_ALL=C") {
		t.Errorf("environment %q", c.Env)
	}
	script := c.Script()
	if !strings.Contains(script, "exec env -i PATH=") || !strings.Contains(script, "x.py build --stage 1 library\n") {
		t.Errorf("script %s", script)
	}
}

// A second build with other patches touches only what they change.
func TestPatchesAreExchanged(t *testing.T) {
	k := newKit(t)
	first := k.whole()
	k.compiled()
	if written := k.extractAndPatch(); len(written) > 0 {
		t.Errorf("the same patches wrote %v", written)
	}
	untouched := filepath.Join(k.build.Source(), rustbuildtest.Compiler)
	before, err := os.Stat(untouched)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // a later time than that of what was compiled
	k.patches(strings.Replace(backendPatch, "patched()", "patched_otherwise()", 1))
	second := k.whole()
	if got := k.compiled(); got != "cranelift" { // and not std
		t.Errorf("compiled %q", got)
	}
	if first == second {
		t.Error("other patches, the same name")
	}
	if after, err := os.Stat(untouched); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Error("a file without a patch was written")
	}
	k.patches()
	written := k.extractAndPatch()
	for name, want := range fakeSource {
		if got, err := os.ReadFile(filepath.Join(k.build.Source(), name)); err == nil && string(got) != want {
			t.Errorf("%s is %q without patches", name, got)
		}
	}
	if exists(filepath.Join(k.build.Source(), "compiler", "new.rs")) || !slices.Contains(written, "compiler/new.rs") {
		t.Error("a patch's own file is still there")
	}
	k.patches(backendPatch)
	if again := k.whole(); again != first {
		t.Errorf("the same inputs gave %s and %s", first, again)
	}
}

// std is kept where only the backend differs, and made again where anything else does or the last run did not end.
func TestStdIsKept(t *testing.T) {
	compilerPatch := func(to string) string {
		return "title = \"the compiler\"\nreason = \"a test\"\n[[edit]]\nfile = \"" + rustbuildtest.Compiler + "\"\nanchor = \"fn a() {}\"\ntext = \"fn a() { " + to + " }\"\nwhere = \"replace\"\n"
	}
	k := newKit(t)
	k.whole()
	k.compiled()
	for _, step := range []struct {
		name    string
		patches []string
		before  func()
		want    string
	}{
		{"another backend", []string{strings.Replace(backendPatch, "patched()", "other()", 1)}, nil, "cranelift"},
		{"none", nil, nil, "cranelift std"}, // compiler/new.rs goes as well
		{"the compiler", []string{compilerPatch("one()")}, nil, "rustc_index rustc_middle std"},
		{"both", []string{compilerPatch("one()"), strings.Replace(backendPatch, `path = "compiler/new.rs"`, `path = "compiler/rustc_codegen_cranelift/new.rs"`, 1)}, nil, "cranelift"},
		{"stopped", []string{compilerPatch("two()")}, func() {
			if err := k.std().Begin(); err != nil {
				t.Fatal(err)
			}
			k.patches(compilerPatch("one()"))
		}, "rustc_index rustc_middle cranelift std"},
		// Somebody ran x.py by hand: it removed std and was stopped.
		{"by hand", []string{compilerPatch("one()")}, func() {
			if err := os.RemoveAll(k.build.stdFolder()); err != nil {
				t.Fatal(err)
			}
		}, "std"},
		{"another LLVM", []string{compilerPatch("one()"), strings.Replace(backendPatch, "compiler/new.rs", "compiler/rustc_codegen_cranelift/new.rs", 1)}, func() {
			k.build.LLVM.Version = "22.2.0"
		}, "cranelift std"},
	} {
		time.Sleep(20 * time.Millisecond)
		k.patches(step.patches...)
		if step.before != nil {
			step.before()
		}
		k.whole()
		if got := k.compiled(); got != step.want {
			t.Errorf("%s: compiled %q, want %q", step.name, got, step.want)
		}
	}
}

func TestVendorChecksums(t *testing.T) {
	k := newKit(t)
	k.extractAndPatch()
	text, err := os.ReadFile(filepath.Join(k.build.Source(), "vendor", "cranelift-codegen-1.0.0", checksumsFile))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"files":{"Cargo.toml":"other","src/lib.rs":"` + hexSum("fn codegen() { patched(); }\n") + `"},"package":"p"}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestExtractLeavesOut(t *testing.T) {
	k := newKit(t)
	k.extractAndPatch()
	for name, want := range map[string]bool{
		"src/llvm-project": false, "vendor/windows-1.0.0/src/Windows": false, "vendor/windows-1.0.0/src/lib.rs": true,
		"vendor/windows-1.0.0/Cargo.toml": true, "vendor/cranelift-codegen-1.0.0/src/lib.rs": true,
	} {
		if exists(filepath.Join(k.build.Source(), name)) != want {
			t.Errorf("%s there: %v", name, !want)
		}
	}
}

func TestExtractFails(t *testing.T) {
	k := newKit(t)
	broken := errors.New("broken archive")
	if err := k.build.Extract(func(dest string) error {
		k.write(filepath.Join(dest, "half"), "", 0o644)
		return broken
	}); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if k.build.Extracted() || exists(k.build.Source()) {
		t.Error("half an archive counts as extracted")
	}
	k.build.Recipe.Stage0 = "0.8.0"
	if err := k.build.Extract(k.export); err == nil || !strings.Contains(err.Error(), "is built by rustc 0.9.0") {
		t.Errorf("another stage 0: %v", err)
	}
	k.build.Recipe.Stage0 = "0.9.0"
	k.extractAndPatch()
	k.build.Recipe.Source.SHA256 = strings.Repeat("1", 64)
	if k.build.Extracted() {
		t.Error("another archive counts as extracted")
	}
}

func TestCompilerError(t *testing.T) {
	k := newKit(t)
	k.patches(strings.Replace(backendPatch, "patched()", "broken()", 1))
	k.extractAndPatch()
	var lines []string
	err := k.command().Run(t.Context(), func(line string) { lines = append(lines, line) })
	var exit *process.ExitError
	if !errors.As(err, &exit) || exit.Code != 1 || !slices.Contains(lines, "error[E0308]: mismatched types") {
		t.Errorf("%v after %q", err, lines)
	}
	if _, err := k.build.Assemble(t.Context(), k.stage0(), ask); err == nil {
		t.Error("half a toolchain was put together")
	}
	if _, err := k.build.Store.Resolve("fake"); err == nil {
		t.Error("half a toolchain has the name")
	}
}

func TestWrongRelease(t *testing.T) {
	k := newKit(t)
	k.build.Recipe.Release = "1.1.0-nightly"
	k.extractAndPatch()
	if err := k.command().Run(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	_, err := k.build.Assemble(t.Context(), k.stage0(), ask)
	if err == nil || !strings.Contains(err.Error(), "is not of release 1.1.0-nightly") {
		t.Errorf("%v", err)
	}
}

// killedFolder is set when the test program is a build to be killed.
const killedFolder = "REDOX_TEST_RUSTBUILD_KILLED"

// TestKilledHelper builds in the folder of the test below until it is killed.
func TestKilledHelper(t *testing.T) {
	dir := os.Getenv(killedFolder)
	if dir == "" {
		t.Skip("run by TestKilled")
	}
	lock, err := Store{Dir: dir}.Lock(t.Context(), "fake", func() {})
	if err != nil {
		t.Fatal(err)
	}
	// x.py starts the compilers, it is none itself.
	c := &Command{Args: []string{"/bin/sh", "-c", "/bin/sh x.py & wait"}, Dir: Store{Dir: dir}.Work("fake") + "/src", Env: []string{"PATH=/usr/bin:/bin"}}
	t.Fatal(c.Run(t.Context(), func(string) {}, lock.File()))
}

// kill -9 in the midst: all that was started ends, the lock is free again, and the next run does only what is left.
func TestKilled(t *testing.T) {
	k := newKit(t)
	k.extractAndPatch()
	k.command()
	k.write(filepath.Join(k.build.Source(), "hang"), "rustc_middle", 0o644)
	killed := exec.Command(os.Args[0], "-test.run=^TestKilledHelper$")
	killed.Env = append(os.Environ(), killedFolder+"="+k.build.Store.Dir)
	var said bytes.Buffer
	killed.Stdout, killed.Stderr = &said, &said
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	hanging := filepath.Join(k.build.Source(), "build", "hanging")
	for end := time.Now().Add(20 * time.Second); !exists(hanging); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			_ = killed.Process.Kill()
			t.Fatalf("it never got so far: %s", said.String())
		}
	}
	if _, removed := k.build.Store.Remove(Item{Path: k.build.Work(), name: "fake", work: true}); removed != nil {
		t.Fatal(removed)
	}
	if !exists(k.build.Work()) {
		t.Fatal("a folder in which something is built was collected")
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	lock, err := k.build.Store.Lock(ctx, "fake", func() {})
	if err != nil {
		t.Fatal("the lock is still held: ", err)
	}
	defer lock.Release()
	_ = os.Remove(hanging)
	time.Sleep(200 * time.Millisecond)
	if exists(hanging) {
		t.Fatal("the killed build's children run on")
	}
	_ = os.Remove(filepath.Join(k.build.Source(), "hang"))
	if got := k.compiled(); got != "rustc_index rustc_middle" {
		t.Errorf("before: %q", got)
	}
	k.whole()
	if got := k.compiled(); got != "rustc_middle cranelift std" {
		t.Errorf("after: %q", got)
	}
}

func TestStopped(t *testing.T) {
	k := newKit(t)
	k.extractAndPatch()
	k.write(filepath.Join(k.build.Source(), "hang"), "rustc_middle", 0o644)
	ctx, cancel := context.WithCancel(t.Context())
	err := k.command().Run(ctx, func(line string) {
		if strings.Contains(line, "rustc_middle") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A run that was killed while it patched leaves a file half patched; the next one gets the archive's from its copy.
func TestKilledWhilePatching(t *testing.T) {
	k := newKit(t)
	if err := k.build.Extract(k.export); err != nil {
		t.Fatal(err)
	}
	two := strings.Replace(backendPatch, "patched()", "once()", 1)
	k.patches(two)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.build.Patch(ctx, patch.Options{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	// As if it had been killed between the first file and the second.
	k.extractAndPatch()
	k.write(filepath.Join(k.build.Source(), "vendor", "cranelift-codegen-1.0.0", "src", "lib.rs"), fakeSource["vendor/cranelift-codegen-1.0.0/src/lib.rs"], 0o644)
	k.patches(backendPatch)
	k.extractAndPatch()
	got, err := os.ReadFile(filepath.Join(k.build.Source(), rustbuildtest.Backend))
	if err != nil || string(got) != "fn backend() { patched(); }\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, _ := os.ReadFile(filepath.Join(k.build.Source(), "vendor", "cranelift-codegen-1.0.0", "src", "lib.rs")); string(got) != "fn codegen() { patched(); }\n" {
		t.Errorf("%q", got)
	}
}
