package git

import (
	"strings"
)

// Submodules reads a .gitmodules: the URL of each submodule by its path in the tree. base is the URL of the repository that
// has the file: what begins with ./ or ../ is relative to it.
func Submodules(gitmodules []byte, base string) map[string]string {
	urls := map[string]string{}
	var path, url string
	add := func() {
		if path != "" {
			urls[path] = absoluteURL(url, base)
		}
		path, url = "", ""
	}
	for line := range strings.Lines(string(gitmodules)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			add()
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "path":
			path = strings.TrimSuffix(value, "/")
		case "url":
			url = value
		}
	}
	add()
	return urls
}

// absoluteURL is git's rule for the URL of a submodule.
func absoluteURL(url, base string) string {
	if !strings.HasPrefix(url, "./") && !strings.HasPrefix(url, "../") {
		return url
	}
	base = strings.TrimSuffix(base, "/")
	separator := "/"
	for {
		if rest, ok := strings.CutPrefix(url, "./"); ok {
			url = rest
			continue
		}
		rest, ok := strings.CutPrefix(url, "../")
		if !ok {
			return base + separator + url
		}
		url = rest
		at := strings.LastIndexAny(base, "/:")
		if at < 0 {
			return url
		}
		base, separator = base[:at], base[at:at+1]
	}
}
