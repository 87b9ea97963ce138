package session

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// words refuses what stands in the place of a command's names and paths and cannot be meant: nothing, which would be the current
// folder, and flags, which Mage takes for words when they come too early.
func words(given ...string) error {
	for _, w := range given {
		if w == "" {
			return errors.New("a name or path is empty")
		}
		if strings.HasPrefix(w, "-") {
			return fmt.Errorf("%q stands where a name or path belongs; flags come last, and a path that begins so is written ./%s", w, w)
		}
	}
	return nil
}

// printable is a name from somebody else's file as part of a line of output: quoted if a terminal would act on it.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return strconv.QuoteToGraphic(name)
	}
	return name
}

func printables(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = printable(name)
	}
	return all
}

// someOf lists names, the first ones if they are many.
func someOf(names []string) string {
	const most = 20
	names = printables(names)
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most-5], ", "), len(names)-most+5)
}
