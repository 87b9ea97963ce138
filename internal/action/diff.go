package action

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pannous/redox-clif/internal/cas"
)

// Difference is one field in which two actions differ.
type Difference struct {
	Field string `json:"field"` // "argument", "environment NAME", "salt NAME", "file PATH", …
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// Differences lists field by field what makes b another action than a. The input trees
// are compared file by file as far as the store still has their messages.
func Differences(store *cas.Store, a, b *Action) []Difference {
	var out []Difference
	out = append(out, listDiff("argument", a.Args, b.Args)...)
	out = append(out, mapDiff("environment", a.Env, b.Env)...)
	out = append(out, mapDiff("salt", a.Salt, b.Salt)...)
	out = append(out, listDiff("output", a.Outputs, b.Outputs)...)
	if a.Inputs != b.Inputs {
		out = append(out, treeDiff(store, a.Inputs, b.Inputs)...)
	}
	return out
}

func listDiff(field string, a, b []string) []Difference {
	var out []Difference
	for _, v := range a {
		if !slices.Contains(b, v) {
			out = append(out, Difference{field, v, ""})
		}
	}
	for _, v := range b {
		if !slices.Contains(a, v) {
			out = append(out, Difference{field, "", v})
		}
	}
	if len(out) == 0 && !slices.Equal(a, b) {
		out = append(out, Difference{field + " order", fmt.Sprint(a), fmt.Sprint(b)})
	}
	return out
}

func mapDiff(field string, a, b map[string]string) []Difference {
	var out []Difference
	all := map[string]string{}
	for k, v := range a {
		all[k] = v
	}
	for k, v := range b {
		all[k] = v
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if a[k] != b[k] {
			out = append(out, Difference{field + " " + k, a[k], b[k]})
		}
	}
	return out
}

func treeDiff(store *cas.Store, a, b cas.Digest) []Difference {
	changes, err := store.Diff(a, b)
	if err != nil {
		return []Difference{{"input tree", a.Short(), b.Short()}}
	}
	var out []Difference
	for _, c := range changes {
		out = append(out, Difference{"file " + c.Path, entryText(c.Old), entryText(c.New)})
	}
	return out
}

func entryText(e cas.Entry) string {
	switch {
	case e.Dir:
		return "folder"
	case e.Link != "":
		return "link to " + e.Link
	case e.Digest.IsZero():
		return ""
	case e.Executable:
		return e.Digest.Short() + " (executable)"
	}
	return e.Digest.Short()
}
