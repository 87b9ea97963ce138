package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"
)

// casd is buildbox-casd, a server of the Remote Execution API that others have written.
type casd struct {
	address, dir string
	cmd          *exec.Cmd
}

// startCASD starts a server that keeps its blobs in dir; nil when there is none on this machine.
func startCASD(t *testing.T, dir string) *casd {
	t.Helper()
	bin := wants.BuildBox.Given()
	if bin == "" {
		return nil
	}
	// The path of a socket has at most 107 bytes.
	socket := filepath.Join(filepath.Dir(dir), "s")
	c := &casd{address: "unix:" + socket, dir: dir}
	c.cmd = exec.Command(filepath.Join(bin, "buildbox-casd"), "--bind="+c.address, "--quota-high=4G",
		"--buildbox-run="+filepath.Join(bin, "buildbox-run"), "--jobs=2", dir)
	c.cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH")) // with buildbox-fuse in it the inputs of workers are not copied
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, c.cmd.Start())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		if line, err := net.Dial("unix", socket); err == nil {
			check(t, line.Close())
			return c
		}
		select {
		case <-ctx.Done():
			t.Fatal("buildbox-casd does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *casd) signal(s syscall.Signal) { _ = syscall.Kill(-c.cmd.Process.Pid, s) }

func (c *casd) stop() {
	if c != nil {
		c.signal(syscall.SIGKILL)
		_ = c.cmd.Wait()
	}
}

// another is a second machine: another checkout, an empty cache, the same compiled targets.
func (w *world) another(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	other := &world{bin: w.bin, checkout: filepath.Join(dir, "checkout"), cache: filepath.Join(dir, "cache"), remote: w.remote, digest: w.digest}
	copyTree(t, root(t), other.checkout, func(p string) bool { return p == ".git" || p == "out" || p == "overrides.toml" })
	other.env = []string{"REDOX_REMOTE_CACHE=" + w.remote.address}
	return other
}

// What one machine has uploaded is all that another one needs: no compiler runs, the image is the same and boots. Then the
// server loses, changes and withholds what it has, and the image is the same still.
func TestAnotherMachineTakesTheResults(t *testing.T) {
	wants.BuildBox.On(t)
	w := setUp(t)
	other := w.another(t)
	out := other.mustRun(t, "demo")
	if got := other.imageDigest(t); got != w.digest {
		t.Errorf("the image is %s, was %s", got, w.digest)
	}
	for _, want := range []string{`(?m)^0 steps ran, \d+ came from the remote cache`, `remote cache: \d+ hits, 0 misses`, `boot`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	other.mustRun(t, "cache:verify")
	other.mustRun(t, "recipe:build", "demo") // fetches the programs, which the image did not need
	if out := other.mustRun(t, "recipe:build", "demo"); !strings.Contains(out, "no compiler ran") || strings.Contains(out, "remote cache:") {
		t.Errorf("a build with nothing to do:\n%s", out)
	}

	t.Run("a flipped byte", func(t *testing.T) {
		other := w.another(t)
		path := filepath.Join(w.remote.dir, "cas", "objects", w.digest[:2], w.digest[2:])
		flip(t, path, true)
		defer os.Remove(path) // the server has lost it then
		out := other.mustRun(t, "recipe:build", "demo")
		other.mustAgree(t)
		if !strings.Contains(out, "gave other bytes than asked for") {
			t.Errorf("it does not say so:\n%s", out)
		}
	})
	t.Run("a lost blob", func(t *testing.T) {
		other := w.another(t)
		other.mustRun(t, "recipe:build", "demo")
		other.mustAgree(t)
	})
	t.Run("another instance", func(t *testing.T) {
		w.env = []string{"REDOX_REMOTE_CACHE=" + w.remote.address, "REDOX_REMOTE_INSTANCE_NAME=nobody"}
		defer func() { w.env = nil }()
		w.forget(t)
		if out := w.mustRun(t, "recipe:build", "demo"); !strings.Contains(out, "is the instance name right?") {
			t.Errorf("it does not say so:\n%s", out)
		}
		w.mustAgree(t)
	})
	for _, s := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		t.Run(s.String(), func(t *testing.T) {
			w.env = []string{"REDOX_REMOTE_CACHE=" + w.remote.address}
			defer func() { w.env = nil }()
			w.remote.signal(s)
			w.forget(t)
			out := w.mustRun(t, "recipe:build", "demo")
			if strings.Count(out, "is not used") != 1 {
				t.Errorf("it does not say so once:\n%s", out)
			}
			w.mustAgree(t)
		})
	}
}
