package source

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/pannous/redox-clif/internal/download"
	"github.com/pannous/redox-clif/internal/git"
)

// OfflineError says that something is not in the store and the network may not be used.
type OfflineError struct{ What string }

func (e *OfflineError) Error() string {
	return e.What + " is not here yet and this run is offline: `mage fetch` gets it"
}

// NoCargoError says that a crate is not in the store, and the Fetcher has no cargo.
type NoCargoError struct{ Crate string }

func (e *NoCargoError) Error() string {
	return "there is no cargo to get " + e.Crate + ": `mage toolchain:install` brings it"
}

// HostError says that a host could not be reached.
type HostError struct {
	Host string
	Err  error
}

func (e *HostError) Error() string {
	return fmt.Sprintf("host %s cannot be reached (%v): name a [mirror] for it, or another [source] or [git] place, in overrides.toml", e.Host, e.Err)
}
func (e *HostError) Unwrap() error { return e.Err }

// DigestError says that what arrived is not what the pin names.
type DigestError struct {
	What      string
	Algorithm string // sha256 or blake3
	Want, Got string // hex
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the wrong digest: expected %s %s, found %s; nothing of it was kept. Either name a [mirror] in overrides.toml that has the old bytes, or look at the new ones and pin them", e.What, e.Algorithm, e.Want, e.Got)
}

// CommitError says that the repository does not have the commit.
type CommitError struct{ URL, Commit string }

func (e *CommitError) Error() string {
	return fmt.Sprintf("%s has no commit %s", e.URL, e.Commit)
}

// RepositoryError says that the host answers, but not with this repository.
type RepositoryError struct {
	URL string
	Err error
}

func (e *RepositoryError) Error() string {
	return fmt.Sprintf("%s is no repository that can be read: %v", e.URL, e.Err)
}
func (e *RepositoryError) Unwrap() error { return e.Err }

// DiskFullError says that no space is left where the store or the tree is.
type DiskFullError struct {
	Dir string
	Err error
}

func (e *DiskFullError) Error() string { return "no space left on the disk of " + e.Dir }
func (e *DiskFullError) Unwrap() error { return e.Err }

// EscapeError says that a source wants to write outside of its tree.
type EscapeError struct{ Entry, Why string }

func (e *EscapeError) Error() string { return fmt.Sprintf("entry %q is refused: %s", e.Entry, e.Why) }

// diskFull types an ENOSPC below dir.
func diskFull(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &DiskFullError{Dir: dir, Err: err}
	}
	return err
}

// downloadFailure types a failure of a download.
func downloadFailure(from string, err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var wrong *DigestError
	switch {
	case errors.As(err, &wrong):
		return wrong // has a name of its own
	case errors.As(err, &op) && op.Op == "dial":
		return &HostError{Host: hostOf(from), Err: op.Err}
	case errors.As(err, &dns):
		return &HostError{Host: hostOf(from), Err: dns}
	case errors.Is(err, download.ErrStalled):
		return fmt.Errorf("%w; what arrived is kept and the next run goes on from there", err)
	}
	return err
}

var (
	gitHost     = regexp.MustCompile(`(?i)could not resolve host|failed to connect|connection (?:timed out|refused|reset)|network is unreachable|no route to host|operation timed out|operation too slow|could not resolve proxy|name or service not known`)
	gitRefused  = regexp.MustCompile(`(?i)unadvertised object|not our ref|does not support shallow|dumb http transport does not support|no such remote ref|couldn't find remote ref`)
	gitNoRepo   = regexp.MustCompile(`(?i)repository .*not found|does not appear to be a git repository|could not read from remote|permission denied|host key verification failed|could not read Username|authentication failed|not a git repository|returned error: 40[134]|dubious ownership`)
	gitDiskFull = regexp.MustCompile(`(?i)no space left on device|disk quota exceeded`)
)

// gitFailure types the failure of a git that asked rawURL for something.
func gitFailure(rawURL, store string, err error) error {
	var failed *git.Error
	if !errors.As(err, &failed) {
		return err // it went well, could not be started or was stopped
	}
	switch {
	case gitDiskFull.MatchString(failed.Message):
		return &DiskFullError{Dir: store, Err: err}
	case gitHost.MatchString(failed.Message):
		return &HostError{Host: hostOf(rawURL), Err: errors.New(lineWith(gitHost, failed.Message))}
	case gitNoRepo.MatchString(failed.Message):
		return &RepositoryError{URL: rawURL, Err: errors.New(git.Explanation(failed.Message))}
	}
	return fmt.Errorf("%s: %w", rawURL, err)
}

// lineWith is the line of a message in which a pattern is found.
func lineWith(pattern *regexp.Regexp, message string) string {
	for line := range strings.Lines(message) {
		if pattern.MatchString(line) {
			return git.Explanation(line)
		}
	}
	return git.Explanation(message)
}

func hostOf(rawURL string) string {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		return u.Hostname()
	}
	host, _, ok := strings.Cut(rawURL, ":") // git's user@host:path
	if !ok {
		return rawURL
	}
	if _, h, ok := strings.Cut(host, "@"); ok {
		return h
	}
	return host
}
