package ui

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Dash stands for nothing in a table.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Some is a list of files that stays a line.
func Some(files []string) string {
	const shown = 6
	if len(files) <= shown {
		return strings.Join(files, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(files[:shown], ", "), len(files)-shown)
}

// Printable is a name from somebody else's file as part of a line of output: quoted if a terminal would act on it.
func Printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return strconv.QuoteToGraphic(name)
	}
	return name
}

// Printables are names of others as parts of a line, see [Printable].
func Printables(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = Printable(name)
	}
	return all
}

// SomeOf lists names, the first ones if they are many.
func SomeOf(names []string) string {
	const most = 20
	names = Printables(names)
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most-5], ", "), len(names)-most+5)
}
