package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// longest is what one build of the demo may take, the standard library included.
const longest = 10 * time.Minute

// target names the folder in out/.
const target = "aarch64-unknown-redox-clif"

// world is a copy of the checkout with the compiled targets and a cache in which the demo is built.
type world struct {
	bin, checkout, cache string
	digest               string   // of the demo's image
	env                  []string // over that of the tests, for the runs that follow
	remote               *casd    // what the first build was uploaded to; nil without buildbox-casd
}

// shared is made by the first test that needs it; the tests run one after the other and leave it as they
// found it.
var shared *world

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		shared.remote.stop()
		if err := os.RemoveAll(filepath.Dir(shared.checkout)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

func setUp(t *testing.T) *world {
	t.Helper()
	wants.E2E.On(t)
	if shared != nil {
		return shared
	}
	dir, err := os.MkdirTemp("", "redox-clif-e2e-")
	check(t, err)
	w := &world{bin: filepath.Join(dir, "redox-clif"), checkout: filepath.Join(dir, "checkout"), cache: filepath.Join(dir, "cache")}
	copyTree(t, root(t), w.checkout, func(p string) bool { return p == ".git" || p == "out" || p == "overrides.toml" })
	compile := exec.Command("go", "tool", "mage", "-compile", w.bin)
	compile.Dir = w.checkout
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling the targets: %v\n%s", err, out)
	}
	if seed := wants.Seed.Given(); seed != "" {
		for _, name := range []string{"actions", "cas", "toolchains", "cargo-home"} {
			copyTree(t, filepath.Join(seed, name), filepath.Join(w.cache, name), nil)
		}
	}
	shared = w
	if w.remote = startCASD(t, filepath.Join(dir, "casd")); w.remote != nil {
		w.env = []string{"REDOX_REMOTE_CACHE=" + w.remote.address, "REDOX_REMOTE_UPLOAD_LOCAL_RESULTS=1"}
	}
	w.digest = w.build(t)
	w.env = nil // only the first build is uploaded: the tests build, and do not fetch
	return w
}

// root is the checkout that the test is part of.
func root(t *testing.T) string {
	dir, err := filepath.Abs("../../..")
	check(t, err)
	return dir
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func copyTree(t *testing.T, from, to string, skip func(string) bool) {
	t.Helper()
	check(t, filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, p)
		if skip != nil && skip(rel) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		dst := filepath.Join(to, rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			return os.MkdirAll(dst, 0o755)
		case e.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return os.Symlink(link, dst)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if err := os.WriteFile(dst, b, info.Mode().Perm()); err != nil {
			return err
		}
		return os.Chtimes(dst, info.ModTime(), info.ModTime())
	}))
}

// command is a target about to run, in a process group of its own, with this cache.
func (w *world) command(ctx context.Context, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, w.bin, args...)
	cmd.Dir = w.checkout
	for _, v := range os.Environ() {
		// What a job of GitHub's sets changes the output.
		if !strings.HasPrefix(v, "GITHUB_") && (!strings.HasPrefix(v, "REDOX_") || strings.HasPrefix(v, "REDOX_SANDBOX=")) {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "REDOX_CACHE="+w.cache)
	if dir := wants.Cranelift.Given(); dir != "" {
		cmd.Env = append(cmd.Env, "REDOX_TOOLCHAIN="+dir)
	}
	cmd.Env = append(cmd.Env, w.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// run runs a target to its end.
func (w *world) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	cmd, out := w.command(ctx, args...)
	err := cmd.Run()
	return out.String(), err
}

func (w *world) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.run(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// mustFail runs a target that does not end well.
func (w *world) mustFail(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.run(t, args...)
	if err == nil {
		t.Fatalf("%v did not fail:\n%s", args, out)
	}
	return out
}

// build builds the demo and returns its image's digest.
func (w *world) build(t *testing.T) string {
	t.Helper()
	w.mustRun(t, "demo")
	return w.imageDigest(t)
}

func (w *world) imageDigest(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.checkout, "out", target, "initfs.img"))
	check(t, err)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// mustAgree builds again and demands the same image and a cache that is whole.
func (w *world) mustAgree(t *testing.T) {
	t.Helper()
	if got := w.build(t); got != w.digest {
		t.Fatalf("the image is %s, was %s", got, w.digest)
	}
	w.mustRun(t, "cache:verify")
}

// forget drops the results of the demo's own steps, so that the next build has something to do. What
// cargo keeps in its folders stays, and the standard library.
func (w *world) forget(t *testing.T) {
	t.Helper()
	// Walk, and not a glob: a killed run may have left half an entry beside the entries.
	results := action.OpenCache(filepath.Join(w.cache, "actions"))
	_, err := results.Walk(func(d cas.Digest, r action.Result, _ fs.FileInfo) error {
		if !strings.HasPrefix(r.Node, "demo") {
			return nil
		}
		return results.Forget(d)
	})
	check(t, err)
}

// forgetAll drops also what cargo keeps for the demo.
func (w *world) forgetAll(t *testing.T) {
	t.Helper()
	w.forget(t)
	folders, err := filepath.Glob(filepath.Join(w.cache, "work", "demo*"))
	check(t, err)
	for _, dir := range folders {
		check(t, os.RemoveAll(dir))
	}
}

func envNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	check(t, err)
	return n
}

// processesOf are the living processes that have a text in their command line.
func processesOf(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	check(t, err)
	for _, file := range all {
		b, err := os.ReadFile(file)
		line := strings.ReplaceAll(string(b), "\x00", " ")
		if err == nil && strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
