// Package nearest finds the names that somebody may have meant by a misspelt one.
//
// It owns the measure. It must not know what the names name.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// most is how many names are offered: more are a list, not an answer.
const most = 3

// Names are the known names closest to a word, at most three, the closest first; none when all are too far from it. As many
// letters may be wrong as a third of the word has, but one always; a word of three letters and more also stands for the names that begin
// with it.
func Names(word string, known []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	word = strings.ToLower(word)
	limit := max(1, len(word)/3)
	var near []candidate
	for _, name := range known {
		lower := strings.ToLower(name)
		d := Distance(word, lower)
		if d > limit && len(word) >= 3 && strings.HasPrefix(lower, word) {
			d = limit
		}
		if d <= limit {
			near = append(near, candidate{name, d})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	near = slices.Compact(near)
	var names []string
	for _, c := range near {
		// What is further off than the closest is rarely meant.
		if c.distance == near[0].distance && len(names) < most {
			names = append(names, c.name)
		}
	}
	return names
}

// Distance is how many letters have to be put in, left out, exchanged or swapped with their neighbour to make b of a (optimal string
// alignment).
func Distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(s); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(t)]
}
