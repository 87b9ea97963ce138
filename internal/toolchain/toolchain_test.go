package toolchain

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/targetspec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// pinPath is the project's own pin.
const pinPath = "../../toolchain/toolchain.toml"

func projectPin(t *testing.T) *Pin {
	t.Helper()
	pin, err := LoadPin(pinPath)
	if err != nil {
		t.Fatal(err)
	}
	return pin
}

const host = "x86_64-unknown-linux-gnu"

// fakeToolchain lays out the files of a toolchain; the programs are never run.
func fakeToolchain(t *testing.T, dir string) string {
	t.Helper()
	for _, name := range []string{
		"bin/rustc", "bin/cargo", "lib/librustc_driver-1.so", "lib/rustlib/" + host + "/bin/rust-lld",
		"lib/rustlib/" + host + "/bin/llvm-nm", "lib/rustlib/" + host + "/lib/libstd-1.rlib",
		"lib/rustlib/src/rust/library/core/src/lib.rs", "lib/rustlib/src/rust/library/std/src/lib.rs",
	} {
		write(t, filepath.Join(dir, name), "content of "+name, 0o755)
	}
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// TestProjectPin: what the pin expects is known, also to machines that do not have it, and the committed targets are for it.
func TestProjectPin(t *testing.T) {
	pin := projectPin(t)
	if checkChannel(pin.Toolchain.Channel) != nil || !isHex(pin.Expected.Commit, 40) {
		t.Errorf("mage toolchain:lock completes the pin: %+v", pin)
	}
	compiler, err := targetspec.KnownCompiler(pin.Expected.Release)
	if err != nil {
		t.Fatalf("%v; add the row that mage drift shows to %s", err, targetspec.CompilersFile)
	}
	const targets = "../../targets"
	triples, err := targetspec.Triples(os.DirFS(targets))
	if err != nil || len(triples) == 0 {
		t.Fatal(triples, err)
	}
	for _, triple := range triples {
		spec, err := targetspec.Load(os.DirFS(targets), triple)
		if err == nil {
			err = spec.Check(filepath.Join(targets, triple+".json"), compiler)
		}
		if err != nil {
			t.Errorf("%v (mage target:spec -write)", err)
		}
	}
}

func TestDecodePinErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `"toolchain.channel" is missing`},
		{"[toolchain]\nprofile = 'minimal'\n", `p:1:2: key "toolchain.channel" is missing`},
		{"[toolchain]\nchannel = 'nightly'\n", `p:2:1: channel "nightly" moves`},
		{"[toolchain]\nchannel = 'stable'\n", "moves"},
		{"[toolchain]\nchannel = '1.94'\n", "moves"},
		{"[toolchain]\nchannel = '1.94.0'\n[expected]\ncommit = 'fcd630976'\n", "p:4:1: commit must be 40"},
		{"[toolchain]\nchannel = '1.94.0'\n[requires]\nrelease = 'new'\n", "p:4:1: release must look like"},
		{"[toolchain]\nchanel = '1.94.0'\nprofile = 1\n", `did you mean "channel"?`},
	}
	for _, test := range tests {
		if _, err := DecodePin("p", []byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: want %q, got %v", test.text, test.want, err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := fakeToolchain(t, t.TempDir())
	elsewhere := filepath.Join(t.TempDir(), "llvm-22", "bin", "llvm-objcopy")
	write(t, elsewhere, "objcopy", 0o755)
	bin := filepath.Join(dir, "lib/rustlib", host, "bin")
	for name, to := range map[string]string{"llvm-objcopy": elsewhere, "llvm-strip": "/nowhere/llvm-strip"} {
		if err := os.Symlink(to, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &Toolchain{
		Provider: FromDirectory, Dir: dir, Host: host,
		Rustc: filepath.Join(dir, "bin/rustc"), Cargo: filepath.Join(dir, "bin/cargo"),
		Library: filepath.Join(dir, "lib/rustlib/src/rust/library"),
		Tools: map[string]string{
			"rust-lld": filepath.Join(bin, "rust-lld"), "llvm-nm": filepath.Join(bin, "llvm-nm"), "llvm-objcopy": filepath.Join(bin, "llvm-objcopy"),
		},
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if _, err := found.Tool("llvm-strip"); err == nil || !strings.Contains(err.Error(), "component llvm-tools") {
		t.Errorf("a link to nowhere is no tool: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	noProgram, noHost, twoHosts := t.TempDir(), t.TempDir(), fakeToolchain(t, t.TempDir())
	write(t, filepath.Join(noHost, "bin/rustc"), "", 0o755)
	write(t, filepath.Join(noHost, "bin/cargo"), "", 0o755)
	write(t, filepath.Join(noProgram, "bin/rustc"), "not executable", 0o644)
	write(t, filepath.Join(twoHosts, "lib/rustlib/aarch64-unknown-linux-gnu/lib/x"), "", 0o644)
	write(t, filepath.Join(twoHosts, "lib/rustlib/aarch64-unknown-linux-gnu/bin/x"), "", 0o644)
	for dir, want := range map[string]string{noProgram: "no program bin/", noHost: "no standard library", twoHosts: "cannot be told", "/nowhere": "no program"} {
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestFind(t *testing.T) {
	pin := projectPin(t)
	home := t.TempDir()
	triple := rustArch(runtime.GOARCH) + "-unknown-" + rustOS(runtime.GOOS) + "-gnu"
	showHome := func(_ context.Context, argv ...string) ([]byte, []byte, error) {
		if strings.Join(argv, " ") != "/bin/rustup show home" {
			return nil, nil, fmt.Errorf("unexpected %q", argv)
		}
		return []byte(home + "\n"), nil, nil
	}
	byRustup := Sources{Rustup: "/bin/rustup"}

	if _, err := Find(t.Context(), Sources{}, pin, nil); !errors.As(err, new(*NoRustup)) {
		t.Errorf("nothing given: %v", err)
	} else if !strings.Contains(err.Error(), "sh.rustup.rs") {
		t.Errorf("no hint how to install rustup: %v", err)
	}
	if _, err := Find(t.Context(), byRustup, pin, showHome); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("not installed: %v", err)
	}
	dir := filepath.Join(home, "toolchains", pin.Toolchain.Channel+"-"+triple)
	write(t, filepath.Join(dir, "bin/rustc"), "", 0o755)
	if _, err := Find(t.Context(), byRustup, pin, showHome); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("half installed: %v", err)
	}
	fakeToolchain(t, dir)
	for _, from := range []Sources{byRustup, {RustupHome: home}} {
		found, err := Find(t.Context(), from, pin, showHome)
		if err != nil || found.Provider != FromRustup || found.Dir != dir || found.Channel != pin.Toolchain.Channel {
			t.Errorf("got %+v, %v", found, err)
		}
	}
	// A directory that was asked for is not replaced by rustup's.
	if _, err := Find(t.Context(), Sources{Directory: t.TempDir(), RustupHome: home}, pin, nil); err == nil || errors.Is(err, ErrNotInstalled) {
		t.Errorf("a wrong directory: %v", err)
	}
	own := fakeToolchain(t, t.TempDir())
	if found, err := Find(t.Context(), Sources{Directory: own, RustupHome: home}, pin, nil); err != nil || found.Provider != FromDirectory || found.Dir != own {
		t.Errorf("a directory: %+v, %v", found, err)
	}
}

func TestVerify(t *testing.T) {
	pin := projectPin(t)
	found, err := Open(fakeToolchain(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	found.Library = ""
	other := Version{Release: "1.93.0-nightly", Commit: "0000"}
	err = pin.Verify(found, other)
	for _, want := range []string{"no llvm-ar", "no rust-src", "older than 1.94.0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "the pin expects") {
		t.Errorf("a directory is not held to the pin's commit: %v", err)
	}
	found.Provider = FromRustup
	if err := pin.Verify(found, other); !strings.Contains(err.Error(), "rustc commit 0000, the pin expects fcd630976") {
		t.Errorf("got %v", err)
	}
}

func TestInstall(t *testing.T) {
	const missing = "error: component 'rustc-codegen-cranelift' for target 'x86_64-unknown-linux-gnu' is unavailable for download for channel 'nightly-2026-01-02'"
	tests := []struct {
		name     string
		optional bool
		output   map[string]string // by rustup's sub-command; an error line makes it fail
		want     error
		runs     int
		progress string
	}{
		{"good", false, map[string]string{"toolchain": "info: downloading"}, nil, 1, "info: downloading"},
		{"good with optional", true, map[string]string{}, nil, 2, ""},
		{"no such channel", false, map[string]string{"toolchain": "info: syncing\nerror: no release found for 'nightly-2026-01-99'\nStack backtrace:\n  0: x"},
			&NotInstallable{"nightly-2026-01-02", "/bin/rustup toolchain install nightly-2026-01-02 --no-self-update --profile minimal --component rust-src --component llvm-tools",
				"no release found for 'nightly-2026-01-99'"}, 1, "info: syncing"},
		{"no component", true, map[string]string{"component": missing},
			&NoComponent{"nightly-2026-01-02", "rustc-codegen-cranelift", strings.TrimPrefix(missing, "error: ")}, 2, ""},
		{"component not asked for", false, map[string]string{"component": missing}, nil, 1, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			runs := 0
			lines := func(_ context.Context, line func(string), argv ...string) error {
				runs++
				output := test.output[argv[1]]
				for _, text := range strings.Split(output, "\n") {
					line(text)
				}
				if strings.Contains(output, "error: ") {
					return errors.New("exit status 1")
				}
				return nil
			}
			var progress []string
			err := Install(t.Context(), "/bin/rustup", projectPin(t), test.optional, lines, func(line string) { progress = append(progress, line) })
			if diff := cmp.Diff(test.want, err); diff != "" {
				t.Error(diff)
			}
			if got := strings.TrimSpace(strings.Join(progress, "\n")); runs != test.runs || got != test.progress {
				t.Errorf("%d runs with progress %q", runs, got)
			}
		})
	}
	if err := Install(t.Context(), "", projectPin(t), false, nil, nil); !errors.As(err, new(*NoRustup)) {
		t.Errorf("no rustup: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	cut := func(context.Context, func(string), ...string) error { return errors.New("signal: killed") }
	if err := Install(stopped, "/bin/rustup", projectPin(t), false, cut, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestExecLines(t *testing.T) {
	var got []string
	err := ExecLines([]string{"WORD=set"})(t.Context(), func(line string) { got = append(got, line) },
		"/bin/sh", "-c", `printf 'a\rb\n\n'; echo "$WORD$HOME" >&2; exit 3`)
	if diff := cmp.Diff([]string{"a", "b", "set"}, got); diff != "" || err == nil {
		t.Errorf("%v\n%s", err, diff)
	}
	stdout, stderr, err := Exec(nil)(t.Context(), "/bin/sh", "-c", `echo out$HOME; echo bad >&2; exit 3`)
	if string(stdout) != "out\n" || string(stderr) != "bad\n" || err == nil {
		t.Errorf("got %q, %q, %v", stdout, stderr, err)
	}
}

func TestIdentity(t *testing.T) {
	dir, cache := fakeToolchain(t, t.TempDir()), t.TempDir()
	identify := func(dir string) *Identity {
		t.Helper()
		found, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		identity, err := found.Identify(t.Context(), cache)
		if err != nil {
			t.Fatal(err)
		}
		return identity
	}
	first := identify(dir)
	if len(first.Files) != 7 || first.Files[sourceKey] == "" || first.Files["bin/rustc"] == "" {
		t.Errorf("files: %v", first.Files)
	}
	if again := identify(dir); again.Digest != first.Digest {
		t.Error("warm differs from cold")
	}
	if copied := identify(fakeToolchain(t, t.TempDir())); copied.Digest != first.Digest {
		t.Error("the digest depends on the folder")
	}
	// Same size and an old modification time again: the change must show.
	for _, name := range []string{"lib/librustc_driver-1.so", "lib/rustlib/src/rust/library/core/src/lib.rs"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		before := identify(dir)
		write(t, path, strings.ToUpper("content of "+name), 0o755)
		if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
			t.Fatal(err)
		}
		if identify(dir).Digest == before.Digest {
			t.Errorf("a changed %s is not noticed", name)
		}
	}
	now := identify(dir)
	if err := os.Rename(filepath.Join(dir, "lib/rustlib/src/rust/library/core"), filepath.Join(dir, "lib/rustlib/src/rust/library/kore")); err != nil {
		t.Fatal(err)
	}
	if identify(dir).Digest == now.Digest {
		t.Error("a renamed folder in rust-src is not noticed")
	}
	// A cache that cannot be read is computed anew.
	now = identify(dir)
	files, err := filepath.Glob(filepath.Join(cache, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no cache file")
	}
	for _, file := range files {
		write(t, file, "{", 0o644)
	}
	if identify(dir).Digest != now.Digest {
		t.Error("differs after a broken cache file")
	}
}

// Whoever remembers an identity by what was looked at has to see every file that comes, goes or changes.
func TestIdentityNamesAllThatItLookedAt(t *testing.T) {
	dir, cache := fakeToolchain(t, t.TempDir()), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "lib/rustlib/src/rust/library/core/empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, warm := range []bool{false, true} {
		identity, err := found.Identify(t.Context(), cache)
		if err != nil {
			t.Fatal(err)
		}
		looked := map[string]bool{}
		for _, path := range identity.Looked() {
			looked[path] = true
		}
		err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !looked[path] {
				t.Errorf("warm %v: %s was not looked at", warm, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestIdentityFollowsTheDistributionsLLVM(t *testing.T) {
	dir, prefix := fakeToolchain(t, t.TempDir()), t.TempDir()
	write(t, filepath.Join(prefix, "llvm-22/bin/lld"), "lld", 0o755)
	write(t, filepath.Join(prefix, "x86_64-linux-gnu/libLLVM.so.22.1"), "one", 0o644)
	write(t, filepath.Join(prefix, "x86_64-linux-gnu/libLLVM-14.so.1"), "another version", 0o644)
	lld := filepath.Join(dir, "lib/rustlib", host, "bin/rust-lld")
	if err := errors.Join(os.Remove(lld), os.Symlink(filepath.Join(prefix, "llvm-22/bin/lld"), lld)); err != nil {
		t.Fatal(err)
	}
	found, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := found.Identify(t.Context(), t.TempDir())
	if err != nil || first.Files["llvm/libLLVM.so.22.1"] == "" || first.Files["llvm/libLLVM-14.so.1"] != "" {
		t.Fatalf("%v, %v", first, err)
	}
	write(t, filepath.Join(prefix, "x86_64-linux-gnu/libLLVM.so.22.1"), "two", 0o644)
	if second, err := found.Identify(t.Context(), t.TempDir()); err != nil || second.Digest == first.Digest {
		t.Errorf("an upgrade of LLVM is not noticed: %v", err)
	}
}

// A channel has to mean the same toolchain tomorrow, and a day has to be one.
func TestCheckChannel(t *testing.T) {
	for channel, want := range map[string]string{
		"nightly-2026-01-02": "", "beta-2024-02-29": "", "1.94.0": "",
		"nightly-2026-13-45": "no day 2026-13-45", "nightly-2026-02-29": "no day", "beta-2026-00-10": "no day",
		"nightly": "moves", "stable": "moves", "1.94": "moves", "nightly-26-1-2": "moves", "": "moves", "dev-2026-01-02": "moves",
	} {
		err := checkChannel(channel)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", channel, err, want)
		}
	}
}
