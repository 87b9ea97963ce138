package patch

import "strings"

// How sure a proposal has to be: how much of the anchor is in a line, and how much less in the next one.
const (
	minProposed = 0.75
	minAhead    = 0.15
)

// Propose is the anchor that an edit could have in a text where its own is not found: what the one line has that is like it. ok says that there
// is such a line, and no other. What is replaced is not proposed: its new form may be there for a reason that our text would undo.
func (e *Edit) Propose(text string) (anchor string, ok bool) {
	if e.Where == Replace || e.Regex || e.Count != 1 || strings.Contains(e.Anchor, "\n") || strings.Contains(text, e.Anchor) {
		return "", false
	}
	best, next, line := 0.0, 0.0, ""
	wanted := bigrams(strings.TrimSpace(e.Anchor))
	for one := range strings.Lines(text) {
		switch s := contained(wanted, bigrams(strings.TrimSpace(one))); {
		case s > best:
			best, next, line = s, best, one
		case s > next:
			next = s
		}
	}
	if best < minProposed || next > best-minAhead {
		return "", false
	}
	anchor = alike(strings.TrimSpace(e.Anchor), strings.TrimSpace(line))
	return anchor, anchor != "" && strings.Count(text, anchor) == 1
}

// contained is the share of a multiset that is in another one.
func contained(part, whole map[[2]byte]int) float64 {
	common, total := 0, 0
	for k, n := range part {
		common += min(n, whole[k])
		total += n
	}
	if total == 0 {
		return 0
	}
	return float64(common) / float64(total)
}

// alike is the part of a line from the first to the last word that it has in common with an anchor.
func alike(anchor, line string) string {
	w := words(line)
	both := common(words(anchor), w)
	if len(both) == 0 {
		return ""
	}
	return strings.TrimSpace(strings.Join(w[both[0][1]:both[len(both)-1][1]+1], ""))
}
