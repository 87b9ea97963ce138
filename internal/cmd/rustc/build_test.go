package rustc

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/cmd/pin"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/rustbuild/rustbuildtest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// buildKit is a checkout and a machine on which a toolchain can be built in no time.
type buildKit struct {
	s *session.Session
	*rustbuildtest.Machine
	t       *testing.T
	out     *bytes.Buffer
	stderr  string // of the last call
	archive string
	llvm    string // -llvm
}

func newBuildKit(t *testing.T) *buildKit {
	t.Helper()
	s, out := sessiontest.New(t)
	dir := t.TempDir()
	k := &buildKit{s: s, Machine: rustbuildtest.NewMachine(t, dir, rustbuild.HostTriple()), t: t, out: out, archive: filepath.Join(dir, "rustc.tar.xz")}
	s.Config.Path, s.Config.RustupHome, s.Config.Home = k.Bin+":/usr/bin:/bin", k.Rustup, dir
	s.Config.Jobs, s.Config.MemoryMiB = 2, 8000
	s.Config.Verbose = true // the fake compiler's steps are over in a moment
	k.File(k.patchFile(), rustbuildtest.Patch, 0o644)
	k.Recipe(k.Pack(), "")
	return k
}

func (k *buildKit) File(path, text string, mode os.FileMode) {
	k.t.Helper()
	rustbuildtest.Write(k.t, path, text, mode)
}

func (k *buildKit) patchFile() string {
	return filepath.Join(k.s.Config.Root, "patches", "backend", "0001-patch.toml")
}

// changePatch replaces a part of the patch.
func (k *buildKit) changePatch(old, now string) {
	k.t.Helper()
	text, err := os.ReadFile(k.patchFile())
	if err != nil {
		k.t.Fatal(err)
	}
	k.File(k.patchFile(), strings.Replace(string(text), old, now, 1), 0o644)
}

// Pack makes the archive of the source and returns its digest.
func (k *buildKit) Pack() string {
	k.t.Helper()
	return rustbuildtest.Archive(k.t, k.archive, rustbuild.HostTriple())
}

// Recipe writes toolchain/builds/fake.toml; replace is "old=>new" in it.
func (k *buildKit) Recipe(sum, replace string) {
	k.t.Helper()
	text := strings.NewReplacer("%ARCHIVE%", k.archive, "%SHA256%", sum).Replace(rustbuildtest.Recipe)
	if old, now, ok := strings.Cut(replace, "=>"); ok {
		text = strings.Replace(text, old, now, 1)
	}
	k.File(filepath.Join(k.s.Config.Root, "toolchain", "builds", "fake.toml"), text, 0o644)
}

// Build runs ToolchainBuild and keeps what it says.
func (k *buildKit) Build() error {
	k.t.Helper()
	f, err := os.Create(filepath.Join(k.t.TempDir(), "stderr"))
	if err != nil {
		k.t.Fatal(err)
	}
	defer f.Close()
	k.s.Streams.Err = f
	err = Build(k.t.Context(), k.s, "", k.llvm)
	text, _ := os.ReadFile(f.Name())
	k.stderr = string(text)
	return err
}

func (k *buildKit) runs() int {
	text, _ := os.ReadFile(filepath.Join(k.s.BuiltToolchains().Work("fake"), "src", "build", "runs"))
	return strings.Count(string(text), "run")
}

func TestToolchainBuild(t *testing.T) {
	k := newBuildKit(t)
	k.s.Config.DryRun = true
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(k.out.String(), "would build  fake") || !strings.Contains(k.out.String(), "to be downloaded") {
		t.Errorf("plan:\n%s", k.out)
	}
	if _, err := os.Stat(filepath.Join(k.s.Config.Cache, "rust")); err == nil {
		t.Error("a dry run wrote into the cache")
	}
	k.s.Config.DryRun = false
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"toolchain/rustc: done", "REDOX_TOOLCHAIN=fake", "rustup toolchain link fake "} {
		if !strings.Contains(k.stderr, want) {
			t.Errorf("no %q in\n%s", want, k.stderr)
		}
	}
	log, err := os.ReadFile(filepath.Join(k.s.Config.Logs(), "toolchain-fake.log"))
	if err != nil || !strings.Contains(string(log), "Compiling rustc_middle") {
		t.Errorf("log %q, %v", log, err)
	}
	dir, err := k.s.BuiltToolchains().Resolve("fake")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := os.ReadFile(filepath.Join(dir, "lib", "rustlib", rustbuild.HostTriple(), "codegen-backends", "librustc_codegen_cranelift.so"))
	if err != nil || string(backend) != "fn backend() { patched(); }\n" {
		t.Errorf("the patch did not get in: %q, %v", backend, err)
	}
	start := time.Now()
	if err := k.Build(); err != nil || k.runs() != 1 || !strings.Contains(k.stderr, "is built already") {
		t.Errorf("a second time: %v, %d runs, %s", err, k.runs(), k.stderr)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("doing nothing took %s", took)
	}
}

func TestToolchainBuildFails(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(k *buildKit)
		want  []string
	}{
		"bad digest":       {func(k *buildKit) { k.Recipe(strings.Repeat("0", 64), "") }, []string{"toolchain/source failed", "wrong digest"}},
		"no LLVM":          {func(k *buildKit) { k.Recipe(k.Pack(), "oldest = 21\nnewest = 22=>oldest = 98\nnewest = 99") }, []string{"cannot be built on this machine", "no LLVM of version 98 to 99", "llvm-99-dev", "mage toolchain:build fake -llvm=bootstrap"}},
		"no such LLVM":     {func(k *buildKit) { k.llvm = "here" }, []string{`not from "here"`}},
		"no CMake":         {func(k *buildKit) { k.llvm = "bootstrap"; k.Program("cmake", "exit 1") }, []string{"cannot be built on this machine", "no CMake that runs"}},
		"no disk for LLVM": {func(k *buildKit) { k.llvm = "bootstrap"; k.Recipe(k.Pack(), "disk-mib = 30=>disk-mib = 1000000000") }, []string{"GiB free"}},

		"no headers":   {func(k *buildKit) { _ = os.RemoveAll(k.Include) }, []string{"no headers of LLVM 22.1.8", "llvm-22-dev"}},
		"no disk":      {func(k *buildKit) { k.Recipe(k.Pack(), "disk-mib = 10\n=>disk-mib = 1000000000\n") }, []string{"GiB free", "REDOX_CACHE=DIR"}},
		"no memory":    {func(k *buildKit) { k.s.Config.MemoryMiB = 50 }, []string{"100 MiB", "REDOX_MEMORY"}},
		"no recipe":    {func(k *buildKit) { _ = os.Remove(filepath.Join(k.s.Config.Root, "toolchain", "builds", "fake.toml")) }, []string{"which one?"}},
		"wrong result": {func(k *buildKit) { k.Recipe(k.Pack(), "1.0.0-nightly=>1.1.0-nightly") }, []string{"toolchain/assemble failed", "not of release 1.1.0-nightly"}},
		"offline": {func(k *buildKit) {
			k.s.Config.Offline = true
			k.archive = "https://example.org/rustc.tar.xz"
			k.Recipe(strings.Repeat("0", 64), "")
		}, []string{"example.org/rustc.tar.xz is not here yet and this run is offline"}},
		"other source": {func(k *buildKit) { k.Recipe(k.Pack(), `stage0 = "0.9.0"=>stage0 = "0.8.0"`) }, []string{"toolchain/stage0 failed", "0.8.0"}},
		"no stage 0": {func(k *buildKit) {
			k.s.Config.Offline = true
			_ = os.RemoveAll(filepath.Join(k.s.Config.RustupHome, "toolchains"))
		}, []string{"rustc 0.9.0 is not installed", "rustup toolchain install 0.9.0"}},
		"patch does not fit": {func(k *buildKit) {
			k.changePatch("fn backend() {}", "fn backend_of_another_rustc() {}")
		}, []string{"toolchain/patches failed", "conflict"}},
		"python": {func(k *buildKit) { k.Program("python3", "echo 2 7 x") }, []string{"no Python 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newBuildKit(t)
			test.spoil(k)
			err := k.Build()
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant %s", err, want)
				}
			}
			if _, err := k.s.BuiltToolchains().Resolve("fake"); err == nil {
				t.Error("something was built all the same")
			}
		})
	}
}

// With LLVM compiled too the system's is not asked for, and both toolchains have the name in turn.
func TestToolchainBuildOwnLLVM(t *testing.T) {
	k := newBuildKit(t)
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(k.Bin, "llvm-config-22"))
	k.llvm, k.s.Config.DryRun = "bootstrap", true
	k.out.Reset()
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"other LLVM, flags than fake-", "compiled too", "fake.llvm, not extracted", "40.0 MiB at most", "about 3m00s"} {
		if !strings.Contains(k.out.String(), want) {
			t.Errorf("no %q in\n%s", want, k.out)
		}
	}
	k.s.Config.DryRun = false
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	dir, err := k.s.BuiltToolchains().Resolve("fake")
	if err != nil {
		t.Fatal(err)
	}
	m, err := rustbuild.ReadManifest(dir)
	if err != nil || m.LLVMFrom != "bootstrap" || m.LLVMOrigin() != "rustc's own, compiled with it" {
		t.Errorf("%+v, %v", m, err)
	}
	if err := k.Build(); err != nil || !strings.Contains(k.stderr, "is built already") {
		t.Errorf("again: %v, %s", err, k.stderr)
	}
}

// A compiler's error names the first error line, the log and the script, and the next run goes on.
func TestToolchainBuildGoesOn(t *testing.T) {
	k := newBuildKit(t)
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	k.changePatch("patched()", "otherwise()")
	fail := filepath.Join(k.s.BuiltToolchains().Work("fake"), "src", "fail")
	k.File(fail, "", 0o644)
	err := k.Build()
	failure := (*graph.Failure)(nil)
	var told *session.BuildError
	if !errors.As(err, &told) || !errors.As(err, &failure) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"toolchain/rustc failed: error: linking with cc failed", "repeat: sh ", "log: ", "toolchain-fake.log"} {
		if !strings.Contains(told.Text, want) {
			t.Errorf("no %q in\n%s", want, told.Text)
		}
	}
	if !strings.Contains(k.stderr, "other patches than fake-") {
		t.Errorf("no reason in\n%s", k.stderr)
	}
	before, err := k.s.BuiltToolchains().Resolve("fake")
	if err != nil {
		t.Fatal("the old toolchain is gone:", err)
	}
	_ = os.Remove(fail)
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	after, err := k.s.BuiltToolchains().Resolve("fake")
	if err != nil || after == before {
		t.Errorf("%s, %v", after, err)
	}
}

func TestToolchainName(t *testing.T) {
	k := newBuildKit(t)
	k.s.Config.ToolchainName, k.s.Config.Toolchain = "fake", filepath.Join(k.s.Config.BuiltToolchains(), "fake")
	if _, err := k.s.ToolchainSources(); err == nil || !strings.Contains(err.Error(), "mage toolchain:build fake") {
		t.Errorf("%v", err)
	}
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	from, err := k.s.ToolchainSources()
	if err != nil || !strings.HasPrefix(filepath.Base(from.Directory), "fake-") || k.s.UsedToolchain == nil {
		t.Errorf("%+v, %v", from, err)
	}
	cfg, err := config.Load([]string{"HOME=" + t.TempDir(), "REDOX_CACHE=/c", "REDOX_TOOLCHAIN=fake"}, "../../..", config.Flags{})
	if err != nil || cfg.ToolchainName != "fake" || cfg.Toolchain != "/c/rust/fake" {
		t.Errorf("%+v, %v", cfg, err)
	}
	for _, dir := range []string{"./fake", "/x/fake", "..", "."} {
		cfg, err := config.Load([]string{"HOME=" + t.TempDir(), "REDOX_TOOLCHAIN=" + dir}, "../../..", config.Flags{})
		if err != nil || cfg.ToolchainName != "" || !filepath.IsAbs(cfg.Toolchain) {
			t.Errorf("%s: %+v, %v", dir, cfg, err)
		}
	}
}

func TestToolchainPackUnpack(t *testing.T) {
	k := newBuildKit(t)
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "packed.tar.xz")
	if err := Pack(t.Context(), k.s, "fake", file); err != nil {
		t.Fatal(err)
	}
	there := newBuildKit(t)
	if err := Unpack(t.Context(), there.s, file, ""); err != nil {
		t.Fatal(err)
	}
	here, err := k.s.BuiltToolchains().Resolve("fake")
	if err != nil {
		t.Fatal(err)
	}
	got, err := there.s.BuiltToolchains().Resolve("fake")
	if err != nil || filepath.Base(got) != filepath.Base(here) {
		t.Errorf("%s, %v", got, err)
	}
	if err := Unpack(t.Context(), there.s, file, strings.Repeat("0", 64)); err == nil || !strings.Contains(err.Error(), "wrong digest") {
		t.Errorf("%v", err)
	}
}

// cache:gc takes the folder that was built in, never the toolchain that a name leads to.
func TestCollectToolchains(t *testing.T) {
	k := newBuildKit(t)
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	c := &gc.Cache{
		Dir: k.s.Config.Cache, Locks: k.s.Config.Locks(), Store: k.s.Store, Actions: k.s.Actions, Work: k.s.Roots(), Toolchains: k.s.BuiltToolchains(),
		Archives: pkgrepo.Archives{Store: k.s.Store, Dir: k.s.Config.Packages()}, Checkout: k.s.Config.Root,
	}
	if _, err := c.Collect(t.Context(), gc.Bounds{Age: time.Hour}, time.Now().Add(48*time.Hour), false); err != nil {
		t.Fatal(err)
	}
	if _, err := k.s.BuiltToolchains().Resolve("fake"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(k.s.BuiltToolchains().Work("fake")); err == nil {
		t.Error("the work folder is still there")
	}
	if err := k.Build(); err != nil || !strings.Contains(k.stderr, "is built already") {
		t.Errorf("%v, %s", err, k.stderr)
	}
}

// The lock describes what was built, and a build of something else says that it does not.
func TestToolchainLockOfBuilt(t *testing.T) {
	k := newBuildKit(t)
	k.File(k.s.Config.Pin(), "[toolchain]\nchannel = \"nightly-2026-01-02\"\n", 0o644)
	if err := k.Build(); err != nil {
		t.Fatal(err)
	}
	k.s.Config.ToolchainName, k.s.Config.Toolchain = "fake", filepath.Join(k.s.Config.BuiltToolchains(), "fake")
	if err := pin.Lock(t.Context(), k.s, false, false); err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(k.s.Config.PinLock())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[built.fake." + rustbuild.HostTriple() + "]", "llvm = '22.1.8'", "applied = ['backend/0001-patch.toml: the backend']"} {
		if !strings.Contains(string(lock), want) {
			t.Errorf("no %s in\n%s", want, lock)
		}
	}
	if err := k.Build(); err != nil || strings.Contains(k.stderr, "the lock describes") {
		t.Errorf("%v, %s", err, k.stderr)
	}
	k.Recipe(k.Pack(), `channel = "nightly"=>channel = "dev"`)
	if err := k.Build(); err != nil || !strings.Contains(k.stderr, "the lock describes one of other flags:") || !strings.Contains(k.stderr, "other flags than fake-") {
		t.Errorf("%v, %s", err, k.stderr)
	}
}
