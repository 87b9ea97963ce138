package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Remotes says what the branches and tags of repositories are at now, without fetching them. Each is asked for once, and a
// host that gives nothing is not asked again, so that thousands of questions are bearable. It is safe for concurrent use.
type Remotes struct {
	Fetcher   *Fetcher
	Overrides *Overrides    // its mirrors are asked in place of the hosts
	Limit     time.Duration // for one answer; 0 means half a minute

	mu    sync.Mutex
	asked map[question]func() (string, error)
	dead  map[string]error // by host
}

type question struct{ url, ref string }

// Commit is the full commit that a ref is at: "HEAD", a full name as refs/heads/main, or the name of a tag or else of a branch.
//
// The error is an *OfflineError when the network may not be used, a *HostError or *RepositoryError when there is no answer, and
// a *RefError when the repository has no such ref.
func (r *Remotes) Commit(ctx context.Context, url, ref string) (string, error) {
	return r.once(question{NormalizeURL(url), ref}, func() (string, error) {
		if r.Fetcher.Offline {
			return "", &OfflineError{What: url}
		}
		return r.ask(ctx, r.Overrides.Mirror(url), ref)
	})()
}

func (r *Remotes) once(q question, ask func() (string, error)) func() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = map[question]func() (string, error){}
	}
	if r.asked[q] == nil {
		r.asked[q] = sync.OnceValues(ask)
	}
	return r.asked[q]
}

func (r *Remotes) ask(ctx context.Context, url, ref string) (string, error) {
	if err := r.isDead(hostOf(url)); err != nil {
		return "", err
	}
	limit := cmp.Or(r.Limit, 30*time.Second)
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	refs, err := r.Fetcher.listRemote(within, url, spellings(ref))
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case within.Err() != nil:
		err = &HostError{Host: hostOf(url), Err: fmt.Errorf("no answer within %v", limit)}
	}
	if err != nil {
		return "", r.noteDead(err)
	}
	return pick(refs, url, ref)
}

func (r *Remotes) isDead(host string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead[host]
}

// noteDead remembers the host of an error that is about a host.
func (r *Remotes) noteDead(err error) error {
	var host *HostError
	if errors.As(err, &host) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.dead == nil {
			r.dead = map[string]error{}
		}
		r.dead[host.Host] = err
	}
	return err
}

// spellings are the full names that a ref may have, the preferred first. An annotated tag is an object of its own: what it is
// about is listed with ^{} behind the name.
func spellings(ref string) []string {
	if ref == "HEAD" || strings.HasPrefix(ref, "refs/") {
		return []string{ref}
	}
	return []string{"refs/tags/" + ref + "^{}", "refs/tags/" + ref, "refs/heads/" + ref}
}

func pick(refs map[string]string, url, ref string) (string, error) {
	for _, name := range spellings(ref) {
		switch id := refs[name]; {
		case id == "":
		case !commitHex.MatchString(id):
			return "", fmt.Errorf("%s in %s is at %q, which is no SHA-1 commit", name, url, id)
		default:
			return id, nil
		}
	}
	return "", &RefError{URL: url, Ref: ref}
}

// RefError: the repository has no such branch or tag.
type RefError struct{ URL, Ref string }

func (e *RefError) Error() string {
	return fmt.Sprintf("%s has no branch or tag %q", e.URL, e.Ref)
}

// listRemote is the ids of those refs of a repository that have one of the names.
func (f *Fetcher) listRemote(ctx context.Context, url string, names []string) (map[string]string, error) {
	// Not in the folder of the caller: a repository around it would bring its own configuration.
	if err := os.MkdirAll(f.Store, 0o755); err != nil {
		return nil, err
	}
	out, err := f.gitCommand(ctx, f.Store, append([]string{"ls-remote", "--quiet", "--", url}, names...)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, gitFailure(url, f.Store, string(exit.Stderr))
	}
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			refs[name] = id
		}
	}
	return refs, nil
}
