package git

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSubmodules(t *testing.T) {
	const text = "# c\n[submodule \"one\"]\n\tpath = ext/one\n\turl = https://h/one.git\n[submodule \"two\"]\n\tURL = ../two.git\n\tpath = \"two words/\"\n\tbranch = main\n[submodule \"three\"]\n\tpath = three\n\turl = ./three\n[submodule \"none\"]\n\turl = x\n"
	for base, want := range map[string][2]string{
		"https://h/a/b.git":  {"https://h/a/two.git", "https://h/a/b.git/three"},
		"https://h/a/b.git/": {"https://h/a/two.git", "https://h/a/b.git/three"},
		"git@h:b.git":        {"git@h:two.git", "git@h:b.git/three"},
		"/srv/b":             {"/srv/two.git", "/srv/b/three"},
	} {
		got := Submodules([]byte(text), base)
		if diff := cmp.Diff(map[string]string{"ext/one": "https://h/one.git", "two words": want[0], "three": want[1]}, got); diff != "" {
			t.Errorf("%s:\n%s", base, diff)
		}
	}
	if got := Submodules([]byte("[submodule \"x\"]\npath = x\nurl = ../../../../x\n"), "h:b"); got["x"] != "../../x" {
		t.Errorf("%v", got)
	}
}
