package pkgrepo

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/download"
)

// checkLocation accepts https://, http:// for this machine only, file:// and absolute paths.
func checkLocation(location string) error {
	if path, ok := download.Local(location); ok {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%s: the path of a repository has to be absolute", location)
		}
		return nil
	}
	u, err := url.Parse(location)
	switch {
	case err != nil:
		return err
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%s: use https; without it the descriptions of packages can be forged", location)
	}
	return fmt.Errorf("%s: %q is not a scheme of package repositories", location, u.Scheme)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (r *repo) locations() []string { return append([]string{r.URL}, r.Mirrors...) }

// at is where a file of the repository lies.
func (r *repo) at(path ...string) []string {
	var all []string
	for _, location := range r.locations() {
		if dir, ok := download.Local(location); ok {
			all = append(all, filepath.Join(append([]string{dir}, path...)...))
			continue
		}
		location = strings.TrimRight(location, "/")
		for _, part := range path {
			location += "/" + url.PathEscape(part)
		}
		all = append(all, location)
	}
	return all
}

// noDowngrade refuses a redirection to anything that a repository could not be: from https to http, and from this machine to an http
// server elsewhere.
func noDowngrade(request *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirections")
	}
	if via[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s", request.URL)
	}
	if request.URL.Scheme != "https" && !(request.URL.Scheme == "http" && isLoopback(request.URL.Hostname())) {
		return fmt.Errorf("redirected to %s", request.URL)
	}
	return nil
}
