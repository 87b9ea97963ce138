// Package pkgversion tells which of two versions of a package is the older one, where that can be told.
//
// It owns the order of versions. It must not know what a package is. Versions here are what projects call their releases and what recipes
// make of a commit; there is no scheme that all of them follow, so some pairs have no order, and none is made up for them.
package pkgversion

import (
	"regexp"
	"strings"
)

// numbered is a version that begins with numbers: 1.2.3, v1.2, 2024-05-01, 1.0-rc1.
var numbered = regexp.MustCompile(`^[vV]?([0-9]+(?:[.-][0-9]+)*)(.*)$`)

// early are the beginnings of what follows the numbers of a release that is still to come.
var early = regexp.MustCompile(`^[.~_-]?(?:(dev|pre|alpha|a|beta|b|rc)(?:[.~_-]?([0-9]+))?)$`)

// stages are the words of early in their order.
var stages = map[string]int{"dev": 0, "pre": 1, "alpha": 2, "a": 2, "beta": 3, "b": 3, "rc": 4}

// Compare is negative when a is older than b, 0 when they are equally new, and positive when it is newer; ok is false when that cannot be
// told. What follows a "+" is how it was built and does not count.
func Compare(a, b string) (order int, ok bool) {
	a, _, _ = strings.Cut(a, "+")
	b, _, _ = strings.Cut(b, "+")
	if a == b {
		return 0, true
	}
	left, right := numbered.FindStringSubmatch(a), numbered.FindStringSubmatch(b)
	if left == nil || right == nil {
		return 0, false
	}
	if order := compareNumbers(left[1], right[1]); order != 0 {
		return order, true
	}
	return compareRest(strings.ToLower(left[2]), strings.ToLower(right[2]))
}

// Older reports whether a is known to be older than b.
func Older(a, b string) bool {
	order, ok := Compare(a, b)
	return ok && order < 0
}

// compareNumbers compares number by number; one that is missing is 0, so that 1.0 is 1.
func compareNumbers(a, b string) int {
	split := func(r rune) bool { return r == '.' || r == '-' }
	left, right := strings.FieldsFunc(a, split), strings.FieldsFunc(b, split)
	for i := range max(len(left), len(right)) {
		if order := compareNumber(at(left, i), at(right, i)); order != 0 {
			return order
		}
	}
	return 0
}

func at(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return ""
}

// compareNumber compares digits of any number, which no integer type holds.
func compareNumber(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// compareRest compares what follows equal numbers: a release comes after all that leads to it. Anything else, a letter or a commit, has
// no order that everybody means.
func compareRest(a, b string) (int, bool) {
	if a == b {
		return 0, true
	}
	left, right := early.FindStringSubmatch(a), early.FindStringSubmatch(b)
	switch {
	case a == "" && right != nil:
		return 1, true
	case b == "" && left != nil:
		return -1, true
	case left == nil || right == nil:
		return 0, false
	case stages[left[1]] != stages[right[1]]:
		return stages[left[1]] - stages[right[1]], true
	}
	return compareNumber(left[2], right[2]), true
}
