package pin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe/gen"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// checkout is a small checkout of this project with a toolchain that only says what it is.
type checkout struct {
	t    *testing.T
	root string
	env  []string
}

const (
	testPin    = "nightly-2026-01-02"
	testCommit = "fcd630976c460c819c4bbcaf107d0c94501205d8"
)

// newCheckout makes a checkout with the sources "base" (patched, has a toolchain file), "tool" (a
// Cargo.lock) and "far" (a repository that is not there), in which nothing is written down yet.
func newCheckout(t *testing.T) *checkout {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the fake toolchain is a shell script")
	}
	home := t.TempDir()
	c := &checkout{t: t, root: filepath.Join(home, "checkout")}
	c.env = []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "RUSTUP_HOME=" + filepath.Join(home, "rustup"), "REDOX_CACHE=" + filepath.Join(home, "cache"),
		"RUSTUP_DIST_SERVER=file://" + filepath.Join(home, "rustup-server"),
	}
	c.fakeToolchain(filepath.Join(home, "rustup", "toolchains", testPin+"-"+hostTriple()))
	c.write("toolchain/toolchain.toml", "# the pin\n[toolchain]\nchannel = \""+testPin+"\"\n\n[expected]\nrelease = \"1.94.0-nightly\"\ncommit = \""+testCommit+"\"\n")
	c.write("magefiles/aliases.go", "package main\n\nvar Aliases = map[string]any{\n\t\"drift\": Drift.Check,\n}\n")
	c.copyDir("../../../targets", "targets")

	base := filepath.Join(home, "base")
	first := c.commit(base, map[string]string{
		"rust-toolchain.toml": "[toolchain]\nchannel = \"nightly-2025-10-03\" # theirs\n", "Cargo.lock": "version = 4\n", "src/main.rs": "fn main() {\n    old();\n}\n",
	})
	c.recipe("base", "patches = [\"fix\"]\n\n[source]\ngit = \""+base+"\"\ncommit = \""+first+"\"\n")
	c.write("patches/fix/0001-new.toml", "title = \"new for old\"\nreason = \"because\"\n\n[[edit]]\nfile = \"src/main.rs\"\nanchor = \"old();\"\nwhere = \"replace\"\ntext = \"new();\"\n")
	tool := filepath.Join(home, "tool")
	c.recipe("tool-kit", "[source]\ngit = \""+tool+"\"\ncommit = \""+c.commit(tool, map[string]string{"Cargo.lock": "version = 4\n# tool\n"})+"\"\n")
	c.recipe("sysroot", "[source]\npath = \".\"\n")
	c.recipe("user", "[source]\npath = \".\"\n\n[[step]]\nname = \"programs\"\nkind = \"cargo\"\npackages = [\"user\"]\nsysroot = \"sysroot\"\n")
	return c
}

func hostTriple() string { return toolchain.HostTriple(runtime.GOOS, runtime.GOARCH) }

// offer has rustup's server offer a nightly of a day with these components for this host beside those that every one has.
func (c *checkout) offer(day string, components ...string) {
	text := "manifest-version = \"2\"\n"
	for _, name := range append([]string{"rustc", "cargo", "rust-std"}, components...) {
		text += "[pkg." + name + ".target." + hostTriple() + "]\navailable = true\n"
	}
	c.writeAt(filepath.Join(filepath.Dir(c.root), "rustup-server", "dist", day, "channel-rust-nightly.toml"), text, 0o644)
}

func (c *checkout) fakeToolchain(dir string) {
	rustc := `#!/bin/sh
case "$*" in
-vV) printf 'release: 1.94.0-nightly\ncommit-hash: ` + testCommit + `\ncommit-date: 2026-01-01\nhost: ` + hostTriple() + `\nLLVM version: 21.1.8\n' ;;
*target-spec-json*uefi*) echo '{"allows-weak-linkage": false}' ;;
*target-spec-json*x86_64-unknown-none*) echo '{"rustc-abi": "x86-softfloat"}' ;;
*target-spec-json*) echo '{}' ;;
*--print=cfg*) echo 'target_os="redox"' ;;
*) echo 'error: only a fake' >&2; exit 1 ;;
esac
`
	cargo := "#!/bin/sh\necho 'cargo 1.94.0-nightly (b54051b15 2025-12-30)'\n"
	for name, text := range map[string]string{"bin/rustc": rustc, "bin/cargo": cargo, "lib/rustlib/" + hostTriple() + "/lib/libstd-1.rlib": "std"} {
		c.writeAt(filepath.Join(dir, name), text, 0o755)
	}
}

func (c *checkout) write(name, text string) {
	c.t.Helper()
	c.writeAt(filepath.Join(c.root, name), text, 0o644)
}

func (c *checkout) writeAt(path, text string, mode os.FileMode) {
	c.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *checkout) read(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.root, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// replace changes a text in a file and fails when it is not there.
func (c *checkout) replace(name, old, new string) {
	c.t.Helper()
	text := c.read(name)
	if !strings.Contains(text, old) {
		c.t.Fatalf("no %q in %s:\n%s", old, name, text)
	}
	c.write(name, strings.Replace(text, old, new, 1))
}

func (c *checkout) recipe(name, text string) {
	c.write("recipes/"+name+"/recipe.toml", "# by hand\ndescription = \"what "+name+" is\"\n"+text)
}

func (c *checkout) copyDir(from, to string) {
	c.t.Helper()
	if err := os.CopyFS(filepath.Join(c.root, to), os.DirFS(from)); err != nil {
		c.t.Fatal(err)
	}
}

// commit writes files into a repository and returns the commit.
func (c *checkout) commit(dir string, files map[string]string) string {
	c.t.Helper()
	for name, text := range files {
		c.writeAt(filepath.Join(dir, name), text, 0o644)
	}
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(c.env, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_DATE=2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z")
		out, err := cmd.CombinedOutput()
		if err != nil {
			c.t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "--initial-branch=main")
	git("config", "uploadpack.allowAnySHA1InWant", "true")
	git("add", "--all")
	git("commit", "--quiet", "--message", "a commit")
	return git("rev-parse", "HEAD")
}

// open starts a session; out collects what it prints.
func (c *checkout) open(flags config.Flags, extra ...string) (s *session.Session, out *bytes.Buffer) {
	c.t.Helper()
	out = &bytes.Buffer{}
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { quiet.Close() })
	s, err = session.Open(flags, append(slices.Clone(c.env), extra...), c.root, false, session.Streams{Out: out, Err: quiet})
	if err != nil {
		c.t.Fatal(err)
	}
	return s, out
}

// drift runs `mage drift -json`.
func (c *checkout) drift(flags config.Flags) *drift.Report {
	c.t.Helper()
	s, out := c.open(flags)
	err := Drift(c.t.Context(), s, DriftFlags{JSON: true})
	r := &drift.Report{}
	if jsonErr := ui.ReadJSON(out.Bytes(), "drift", r); jsonErr != nil {
		c.t.Fatalf("%v; %v in %s", err, jsonErr, out)
	}
	if drifted := errors.As(err, new(*DriftError)); drifted != (len(r.Findings) > 0) || err != nil && !drifted {
		c.t.Fatalf("%d findings and the error %v", len(r.Findings), err)
	}
	return r
}

// exportSysroot places what `mage recipe:build sysroot` exports, as made now.
func (c *checkout) exportSysroot() {
	c.t.Helper()
	s, _ := c.open(config.Flags{})
	in, err := s.LookAtToolchain(c.t.Context())
	if err != nil || in.Caps == nil {
		c.t.Fatal(err, in.Problem)
	}
	target, err := targetspec.Load(os.DirFS(s.Config.Targets()), s.Config.Target)
	if err != nil {
		c.t.Fatal(err)
	}
	spec, err := target.JSON(in.Caps.Compiler())
	if err != nil {
		c.t.Fatal(err)
	}
	library := "the library"
	m := manifest.Manifest{
		Schema: 1, Recipe: "sysroot", Target: s.Config.Target, Toolchain: in.Caps.Version.Name(),
		Spec:  cas.DigestBytes(spec).Hash,
		Files: []manifest.File{{Path: "lib/libc.a", SHA256: cas.DigestBytes([]byte(library)).Hash}},
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		c.t.Fatal(err)
	}
	dir := c.sysroot()
	if err := os.RemoveAll(filepath.Join(c.root, dir)); err != nil {
		c.t.Fatal(err)
	}
	c.write(dir+"/manifest.json", string(text)+"\n")
	c.write(dir+"/root/lib/libc.a", library)
}

func (c *checkout) sysroot() string { return "out/" + config.DefaultTarget + "/sysroot" }

// mend runs every command that mends something by itself, in the order people would.
func (c *checkout) mend() {
	c.t.Helper()
	s, _ := c.open(config.Flags{})
	steps := []func() error{
		func() error { return DriftLock(c.t.Context(), s, false) }, // gets the sources too
		func() error { return Pin(c.t.Context(), s, testPin, false, false) },
		func() error { s, _ = c.open(config.Flags{}); return Lock(c.t.Context(), s, false, false) },
		func() error { return TargetSpec(c.t.Context(), s, SpecOptions{Write: true}) },
		func() error { _, err := gen.Write(c.root, nil); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			c.t.Fatal(err)
		}
	}
	c.exportSysroot()
}

func lineOf(text, part string) int {
	before, _, _ := strings.Cut(text, part)
	return strings.Count(before, "\n") + 1
}

// places lists findings in a form to compare.
func places(r *drift.Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s %s", f.Kind, f.Place()))
	}
	return all
}

func (c *checkout) wantNothing(when string) {
	c.t.Helper()
	r := c.drift(config.Flags{})
	if len(r.Findings) > 0 || len(r.Unchecked) > 0 {
		c.t.Fatalf("%s: %+v\nnot checked: %+v", when, r.Findings, r.Unchecked)
	}
}
