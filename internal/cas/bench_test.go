package cas

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkWarmDigestAgainstGitStatus digests a source tree of 4,000 files in 400 folders of which the stat
// cache knows everything, reading that cache anew each time, and lets `git status` look at the same
// tree, in turn. It reports the ratio of the medians as x-git.
func BenchmarkWarmDigestAgainstGitStatus(b *testing.B) {
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	dir, stats := filepath.Join(b.TempDir(), "tree"), filepath.Join(b.TempDir(), "stats")
	for i := range 4000 {
		p := filepath.Join(dir, fmt.Sprintf("crate%d/src/deep%d", i%20, i%400), fmt.Sprintf("file%d.rs", i))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(p, fmt.Appendf(nil, "// file %d\n", i), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	git(b, dir, "init", "-q")
	git(b, dir, "add", ".")
	git(b, dir, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m")
	time.Sleep(2 * racyWindow)
	git(b, dir, "status", "--porcelain")
	s, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	ours := func() {
		c := s.OpenStatCache(stats)
		s.messages.Clear() // as another process
		_, err := s.PutFolder(context.Background(), dir, CaptureOptions{Stats: c, Store: true, Trusted: true, Volatile: true, Skip: func(p string, _ bool) bool { return p == ".git" }})
		if err == nil {
			err = c.Save()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	ours()
	var mine, theirs []time.Duration
	for b.Loop() {
		start := time.Now()
		ours()
		mine = append(mine, time.Since(start))
		start = time.Now()
		git(b, dir, "status", "--porcelain")
		theirs = append(theirs, time.Since(start))
	}
	slices.Sort(mine)
	slices.Sort(theirs)
	b.ReportMetric(float64(mine[len(mine)/2])/float64(theirs[len(theirs)/2]), "x-git")
	b.ReportMetric(float64(mine[len(mine)/2].Microseconds()), "µs-digest")
}

func git(b *testing.B, dir string, args ...string) {
	b.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git %v: %v\n%s", args, err, out)
	}
}
