package drift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/errs"
)

// Git asks repositories about themselves.
type Git struct {
	Program string   // git
	Env     []string // its whole environment
	Dir     string   // a folder for one small repository per source: commits without their files
}

// Head is the commit of the default branch of the repository at url.
func (g Git) Head(ctx context.Context, url string) (string, error) {
	out, err := g.run(ctx, "", "ls-remote", "--", url, "HEAD")
	if err != nil {
		return "", err
	}
	head, _, _ := strings.Cut(out, "\t")
	if len(head) != 40 {
		return "", errors.New("the repository has no default branch")
	}
	return head, nil
}

// Distance counts the commits between the pin and head, and tells both commits' days. Only commits are
// fetched where the server can leave out the rest.
func (g Git) Distance(ctx context.Context, name, url, pin, head string) (u Upstream, err error) {
	u.Behind, u.Ahead = -1, -1
	repo := filepath.Join(g.Dir, name+".git")
	if err := os.MkdirAll(g.Dir, 0o755); err != nil {
		return u, err
	}
	if _, err := g.run(ctx, g.Dir, "init", "--quiet", "--bare", repo); err != nil {
		return u, err
	}
	if !g.has(ctx, repo, pin) || !g.has(ctx, repo, head) {
		if _, err := g.run(ctx, repo, "fetch", "--quiet", "--no-tags", "--filter=tree:0", "--", url, "+HEAD:refs/upstream/HEAD"); err != nil {
			return u, err
		}
	}
	if !g.has(ctx, repo, pin) {
		// On no branch that leads to the default one: asked for by name, or all of it.
		if _, err := g.run(ctx, repo, "fetch", "--quiet", "--no-tags", "--filter=tree:0", "--", url, pin+":refs/upstream/pin"); err != nil {
			return u, fmt.Errorf("the repository does not give the pinned commit: %w", err)
		}
	}
	counts, err := g.run(ctx, repo, "rev-list", "--left-right", "--count", pin+"..."+head)
	if err != nil {
		return u, err
	}
	if ahead, behind, ok := strings.Cut(counts, "\t"); ok {
		u.Ahead, _ = strconv.Atoi(ahead)
		u.Behind, _ = strconv.Atoi(behind)
	}
	u.PinDate, _ = g.run(ctx, repo, "log", "-1", "--format=%cs", pin)
	u.HeadDate, err = g.run(ctx, repo, "log", "-1", "--format=%cs", head)
	return u, err
}

func (g Git) has(ctx context.Context, repo, commit string) bool {
	_, err := g.run(ctx, repo, "cat-file", "-e", commit+"^{commit}")
	return err == nil
}

// run is one git command; its output without the last line end.
func (g Git) run(ctx context.Context, dir string, args ...string) (string, error) {
	config := []string{"-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30"}
	cmd := exec.CommandContext(ctx, g.Program, append(config, args...)...)
	cmd.Dir = dir
	// A missing object of a partial clone is not to be fetched one by one behind our back.
	cmd.Env = append(append([]string{}, g.Env...), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1")
	cmd.WaitDelay = 5 * time.Second
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if message := telling(problems.String()); message != "" {
			return "", errors.New(message)
		}
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

// telling is git's own first complaint.
func telling(message string) string {
	for _, line := range strings.Split(message, "\n") {
		for _, prefix := range []string{"fatal: ", "error: "} {
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return rest
			}
		}
	}
	return errs.FirstLine(message)
}
