package graph

import (
	"strings"
	"testing"
)

func TestUnknownStepNamesItsLikes(t *testing.T) {
	all := []string{"base", "base/programs", "base/strip/bin/init", "demo/programs", "std/vendor"}
	for id, want := range map[string]string{
		"programs":     `did you mean base/programs, demo/programs?`,
		"bin/init":     `did you mean base/strip/bin/init?`,
		"base/progrms": `did you mean base/programs?`,
		"nonsense":     `steps begin with base, demo, std, and`,
	} {
		if err := NoStepError(id, all); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}
