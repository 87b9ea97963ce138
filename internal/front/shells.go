package front

import (
	"embed"
	"strings"

	"github.com/pannous/redox-clif/internal/nearest"
)

//go:embed completion/*
var scripts embed.FS

// Shells are those that there is a script for.
func Shells() []string { return []string{"bash", "fish", "zsh"} }

// Completion is the script that turns completion on in a shell. It asks `go tool mage __complete WORDS…`, which prints a candidate a
// line with a tab and its help behind it. The error is a *UsageError.
func Completion(shell string) (string, error) {
	text, err := scripts.ReadFile("completion/mage." + shell)
	if err != nil || shell == "" {
		return "", Wrong("completion is for %s: mage completion SHELL%s", strings.Join(Shells(), ", "), didYouMean("", nearest.Names(shell, Shells())))
	}
	return string(text), nil
}
