package drift

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/git"
)

// Git asks repositories about themselves.
type Git struct {
	git.Git
	Dir string // a folder for one small repository per source: commits without their files
}

// Head is the commit of the default branch of the repository at url.
func Head(ctx context.Context, g git.Git, url string) (string, error) {
	refs, err := g.Refs(ctx, url, "HEAD")
	if err != nil {
		return "", err
	}
	head := refs["HEAD"]
	if len(head) != 40 {
		return "", errors.New("the repository has no default branch")
	}
	return head, nil
}

// Distance counts the commits between the pin and head, and tells both commits' days. Only commits are
// fetched where the server can leave out the rest.
func (g Git) Distance(ctx context.Context, name, url, pin, head string) (u Upstream, err error) {
	u.Behind, u.Ahead = -1, -1
	// A missing object of a partial clone is not to be fetched one by one behind our back.
	g.Env = append(slices.Clone(g.Env), "GIT_NO_LAZY_FETCH=1")
	repo := filepath.Join(g.Dir, name+".git")
	if err := os.MkdirAll(g.Dir, 0o755); err != nil {
		return u, err
	}
	if _, err := g.Run(ctx, "", "init", "--quiet", "--bare", repo); err != nil {
		return u, err
	}
	if !g.has(ctx, repo, pin) || !g.has(ctx, repo, head) {
		if _, err := g.Run(ctx, repo, "fetch", "--quiet", "--no-tags", "--filter=tree:0", "--", url, "+HEAD:refs/upstream/HEAD"); err != nil {
			return u, err
		}
	}
	if !g.has(ctx, repo, pin) {
		// On no branch that leads to the default one: asked for by name, or all of it.
		if _, err := g.Run(ctx, repo, "fetch", "--quiet", "--no-tags", "--filter=tree:0", "--", url, pin+":refs/upstream/pin"); err != nil {
			return u, fmt.Errorf("the repository does not give the pinned commit: %w", err)
		}
	}
	counts, err := g.Run(ctx, repo, "rev-list", "--left-right", "--count", pin+"..."+head)
	if err != nil {
		return u, err
	}
	if ahead, behind, ok := strings.Cut(counts, "\t"); ok {
		u.Ahead, _ = strconv.Atoi(ahead)
		u.Behind, _ = strconv.Atoi(behind)
	}
	u.PinDate, _ = g.Run(ctx, repo, "log", "-1", "--format=%cs", pin)
	u.HeadDate, err = g.Run(ctx, repo, "log", "-1", "--format=%cs", head)
	return u, err
}

func (g Git) has(ctx context.Context, repo, commit string) bool {
	_, err := g.Run(ctx, repo, "cat-file", "-e", commit+"^{commit}")
	return err == nil
}

// LastOf is the last commit of a day (UTC) or before on the default branch of the repository at url, by the days of the branch's own commits.
func (g Git) LastOf(ctx context.Context, name, url, day string) (string, error) {
	g.Env = append(slices.Clone(g.Env), "GIT_NO_LAZY_FETCH=1")
	repo := filepath.Join(g.Dir, name+".git")
	if err := os.MkdirAll(g.Dir, 0o755); err != nil {
		return "", err
	}
	if _, err := g.Run(ctx, "", "init", "--quiet", "--bare", repo); err != nil {
		return "", err
	}
	if _, err := g.Run(ctx, repo, "fetch", "--quiet", "--no-tags", "--filter=tree:0", "--", url, "+HEAD:refs/upstream/HEAD"); err != nil {
		return "", err
	}
	commit, err := g.Run(ctx, repo, "rev-list", "-1", "--first-parent", "--before="+day+"T23:59:59Z", "refs/upstream/HEAD")
	if err == nil && len(commit) != 40 {
		err = fmt.Errorf("the default branch has no commit of %s or before", day)
	}
	return commit, err
}
