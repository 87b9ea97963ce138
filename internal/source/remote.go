package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Remotes says what the branches and tags of repositories are at now, without fetching them. Each is asked for once, and a
// host that gave nothing a few times in a row is not asked again, so that thousands of questions are bearable. It is safe for
// concurrent use.
type Remotes struct {
	Fetcher   *Fetcher
	Overrides *Overrides    // its mirrors are asked in place of the hosts
	Limit     time.Duration // for one answer; 0 means half a minute

	mu    sync.Mutex
	asked map[question]func() (string, error)
	fails map[string][]error // in a row, by host
}

// enoughFails is how many failures in a row end the questions to a host. One may be a hiccup of the network.
const enoughFails = 3

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
	if err := r.dead(hostOf(url)); err != nil {
		return "", err
	}
	limit := cmp.Or(r.Limit, 30*time.Second)
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	refs, err := r.Fetcher.Git.Refs(within, url, spellings(ref)...)
	err = gitFailure(url, r.Fetcher.Store, err)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case within.Err() != nil:
		err = &HostError{Host: hostOf(url), Err: fmt.Errorf("no answer within %v", limit)}
	}
	r.note(hostOf(url), err)
	if err != nil {
		return "", err
	}
	return pick(refs, url, ref)
}

// dead is why a host is not asked any more, or nil.
func (r *Remotes) dead(host string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if fails := r.fails[host]; len(fails) >= enoughFails {
		return fails[len(fails)-1]
	}
	return nil
}

// note remembers whether a host answered; that it lacks a repository is an answer.
func (r *Remotes) note(host string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !errors.As(err, new(*HostError)) {
		delete(r.fails, host)
		return
	}
	if r.fails == nil {
		r.fails = map[string][]error{}
	}
	r.fails[host] = append(r.fails[host], err)
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

// RefError says that the repository has no such branch or tag.
type RefError struct{ URL, Ref string }

func (e *RefError) Error() string {
	return fmt.Sprintf("%s has no branch or tag %q", e.URL, e.Ref)
}
