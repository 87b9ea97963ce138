package pkgrepo

import (
	"fmt"
	"strings"
	"unicode"
)

// Prefixes of names that say for which machine a package is.
const (
	HostPrefix   = "host:"
	TargetPrefix = "target:"
)

// Name is a valid package name: [host:|target:]RECIPE[.OPTION].
type Name string

// maxName leaves room in the name of a file for what is put around it.
const maxName = 200

// ParseName checks a name.
func ParseName(s string) (Name, error) {
	bad := func(why string) (Name, error) { return "", fmt.Errorf("package name %q %s", s, why) }
	n := Name(s)
	base := n.WithoutPrefix()
	switch {
	case s == "":
		return bad("is empty")
	case len(s) > maxName:
		return "", fmt.Errorf("package name %q… has %d bytes, more than %d", s[:20], len(s), maxName)
	case strings.ContainsAny(s, "/\\\x00"):
		return bad("contains a slash or a zero byte")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }):
		return bad("contains a character that is not printable")
	case strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || strings.ContainsRune(" \"'`$&;|<>()*?[]{},", r) }):
		return bad("has a character other than ASCII letters, digits and signs like + - _ ~ @: it could look like another name")
	case strings.Contains(base, ":"):
		return bad("has a prefix other than host: and target:")
	case strings.Count(base, ".") > 1:
		return bad("has more than one dot")
	case base == "" || base[0] == '.':
		return bad("has no recipe")
	case base == "repo":
		// <target>/repo.toml is the list of packages.
		return bad("is the name of the repository's list")
	}
	return n, nil
}

// WithoutPrefix is the name without host: or target:.
func (n Name) WithoutPrefix() string {
	s := string(n)
	if rest, ok := strings.CutPrefix(s, HostPrefix); ok {
		return rest
	}
	return strings.TrimPrefix(s, TargetPrefix)
}

// IsHost reports whether the package is for the machine that builds.
func (n Name) IsHost() bool { return strings.HasPrefix(string(n), HostPrefix) }

// Recipe is the name without prefix and option.
func (n Name) Recipe() string {
	recipe, _, _ := strings.Cut(n.WithoutPrefix(), ".")
	return recipe
}
