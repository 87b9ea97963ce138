package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/github"
)

// Unchecked is something that could not be compared. It is no drift, and it is never passed over in silence.
type Unchecked struct {
	Kind Kind   `json:"kind"`
	What string `json:"what"`
	Why  string `json:"why"`
	Fix  string `json:"fix"` // what makes it possible to compare
}

// UncheckedGroup is what could not be compared for one reason.
type UncheckedGroup struct {
	Why, Fix string
	Members  []Unchecked // in the report's order
}

// ByReason groups what could not be compared, in the order in which the reasons come first: a host that cannot be reached keeps dozens
// of comparisons from being made.
func ByReason(all []Unchecked) []UncheckedGroup {
	var groups []UncheckedGroup
	for _, u := range all {
		i := slices.IndexFunc(groups, func(g UncheckedGroup) bool { return g.Why == u.Why && g.Fix == u.Fix })
		if i < 0 {
			i, groups = len(groups), append(groups, UncheckedGroup{Why: u.Why, Fix: u.Fix})
		}
		groups[i].Members = append(groups[i].Members, u)
	}
	return groups
}

// namedMembers is how many things a group's message names; -json has all.
const namedMembers = 3

// Message is the group in one line: "it is not fetched: source of base, source of ion (2 toolchain-file, 1 source-lock)".
func (g UncheckedGroup) Message() string {
	var things, kinds []string
	count := map[Kind]int{}
	for _, u := range g.Members {
		if !slices.Contains(things, u.What) {
			things = append(things, u.What)
		}
		count[u.Kind]++
	}
	for _, k := range Kinds() {
		if n := count[k.Kind]; n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, k.Kind))
		}
	}
	more := ""
	if n := len(things) - namedMembers; n > 0 {
		things, more = things[:namedMembers], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s: %s%s (%s)", g.Why, strings.Join(things, ", "), more, strings.Join(kinds, ", "))
}

// Annotation shows the group with the job: as an error where what was not compared is a failure.
func (g UncheckedGroup) Annotation(failure bool) github.Annotation {
	kind := "warning"
	if failure {
		kind = "error"
	}
	return github.Annotation{Kind: kind, Title: "drift: not checked", Text: g.Message() + "\n" + g.Fix}
}
