package recipe

import (
	"maps"
	"slices"
	"strings"
)

// Compilers are the backends of the steps that compile Rust, sorted; "host" stands for what runs on this machine.
func (r *Recipe) Compilers() []string {
	seen := map[string]bool{}
	for i := range r.Steps {
		st := &r.Steps[i]
		switch {
		case len(st.Components()) == 0:
		case st.Target == TargetHost:
			seen["host"] = true
		default:
			seen[string(st.BackendOrDefault())] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Short is a source in few words, for a listing.
func (s Source) Short() string {
	switch {
	case s.SameAs != "":
		return "same as " + s.SameAs
	case s.Git != "":
		return strings.TrimSuffix(strings.TrimPrefix(s.Git, "https://"), ".git") + "@" + s.Commit[:9]
	case s.Archive != "":
		return s.Archive
	case s.Crate != "":
		return "crate " + s.Crate + " " + s.Version
	}
	return "this repository"
}
