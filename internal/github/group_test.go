package github

import (
	"regexp"
	"testing"
)

// The word that ends the silence is another one each time: who prints into a group cannot know it.
func TestCommandsOfOthersInAGroupAreNotObeyed(t *testing.T) {
	form := regexp.MustCompile(`(?s)^::group::base/programs 100%25%0Ax\n::stop-commands::(\w{20,})\n  Compiling a\n::add-mask::secret\n::(\w{20,})::\n::endgroup::\n$`)
	lines := []string{"  Compiling a", "::add-mask::secret"}
	one, two := form.FindStringSubmatch(Group("base/programs 100%\nx", lines)), form.FindStringSubmatch(Group("base/programs 100%\nx", lines))
	if one == nil || two == nil || one[1] != one[2] || one[1] == two[1] {
		t.Errorf("%q and %q", one, two)
	}
	if got := Group("x", nil); got != "::group::x\n::endgroup::\n" {
		t.Errorf("%q", got)
	}
}
