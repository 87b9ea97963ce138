package git

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// transports are the ways to a repository that need no program beside git and ssh.
var transports = []string{"https", "http", "ssh", "git", "file"}

// helper and scheme are how git itself tells a remote helper (git-remote-NAME, which may run anything) from a path and from
// host:path: see gitremote-helpers(7).
var (
	helper = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9+.-]*)::`)
	scheme = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9+.-]*)://`)
)

// CheckURL accepts what git fetches by itself: a URL of one of its own transports, host:path for ssh, or a path.
func CheckURL(url string) error {
	if url == "" || strings.HasPrefix(url, "-") {
		return fmt.Errorf("%q is no URL of a git repository", url)
	}
	name := ""
	if m := helper.FindStringSubmatch(url); m != nil {
		name = m[1]
	} else if m := scheme.FindStringSubmatch(url); m != nil && !slices.Contains(transports, m[1]) {
		name = m[1]
	}
	if name == "" {
		return nil
	}
	return fmt.Errorf("%q would be fetched by the helper git-remote-%s, which may run anything: only %s, host:path (ssh) and paths are taken; a [mirror] or [source] in overrides.toml names another place",
		url, name, strings.Join(transports, ", "))
}
