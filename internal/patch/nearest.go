package patch

import (
	"path"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxCandidates = 3
	minSimilarity = 0.25
	maxShown      = 120    // bytes of a line shown in a message
	maxCompared   = 400    // bytes of a line compared: longer ones are generated code
	maxLines      = 100000 // lines of a file compared
)

// nearestLines are the lines of text that resemble the most telling line of
// wanted, best first.
func nearestLines(text, wanted string) []Candidate {
	telling := longestLine(wanted)
	key := bigrams(telling)
	var all []Candidate
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxLines {
			break
		}
		line = strings.TrimSpace(line)
		if s := dice(key, bigrams(line)); s >= minSimilarity {
			all = append(all, Candidate{Line: n, Text: clip(line), Similarity: s, Difference: difference(telling, line)})
		}
	}
	return best(all)
}

// nearestFiles are the paths that resemble a missing one: the same file name
// in another folder first, because that is how sources move.
func nearestFiles(names []string, wanted string) []Candidate {
	full, base := bigrams(wanted), bigrams(path.Base(wanted))
	var all []Candidate
	for _, n := range names {
		s := 0.4*dice(full, bigrams(n)) + 0.6*dice(base, bigrams(path.Base(n)))
		if s >= minSimilarity {
			all = append(all, Candidate{File: n, Similarity: s})
		}
	}
	return best(all)
}

func best(all []Candidate) []Candidate {
	sort.SliceStable(all, func(i, j int) bool { return all[i].Similarity > all[j].Similarity })
	return all[:min(len(all), maxCandidates)]
}

func longestLine(s string) string {
	longest := ""
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); len(line) > len(longest) {
			longest = line
		}
	}
	return longest
}

// bigrams counts the pairs of neighbouring bytes.
func bigrams(s string) map[[2]byte]int {
	s = s[:min(len(s), maxCompared)]
	m := make(map[[2]byte]int, len(s))
	for i := 0; i+1 < len(s); i++ {
		m[[2]byte{s[i], s[i+1]}]++
	}
	return m
}

// dice is the Sørensen–Dice coefficient of two multisets.
func dice(a, b map[[2]byte]int) float64 {
	common, total := 0, 0
	for k, n := range a {
		common += min(n, b[k])
		total += n
	}
	for _, n := range b {
		total += n
	}
	if total == 0 {
		return 0
	}
	return 2 * float64(common) / float64(total)
}

func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	s = s[:maxShown]
	for !utf8.ValidString(s) && len(s) > maxShown-utf8.UTFMax {
		s = s[:len(s)-1]
	}
	return s + "…"
}

func quote(s string) string { return strconv.Quote(clip(s)) }
