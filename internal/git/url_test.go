package git

import (
	"strings"
	"testing"
)

func TestOnlyGitsOwnTransportsAreTaken(t *testing.T) {
	for _, url := range []string{
		"https://h/x.git", "http://h:8080/x", "ssh://git@h:22/x", "git://h/x", "file:///srv/x.git",
		"git@h:x/y.git", "h:x", "[::1]:x", "/srv/a::b.git", "./a::b", "../x", "x.git", "/a/ext::sh",
	} {
		if err := CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for url, name := range map[string]string{
		"fd::17": "fd", "ext::sh -c touch% /tmp/x": "ext", "ftp://h/x": "ftp", "s3://bucket/x": "s3", "HTTPS::x": "HTTPS",
		"https::https://h/x": "https", "codecommit::region://x": "codecommit", "git+ssh://h/x": "git+ssh",
	} {
		if err := CheckURL(url); err == nil || !strings.Contains(err.Error(), "git-remote-"+name+",") || !strings.Contains(err.Error(), "https, http, ssh") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"", "--upload-pack=x"} {
		if CheckURL(url) == nil {
			t.Errorf("%q was taken", url)
		}
	}
}
