package crates

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// metadata is what is read of the output of `cargo metadata --format-version 1`.
type metadata struct {
	Packages []struct {
		ID, Name, Version string
		Source            string
	} `json:"packages"`
	Members []string `json:"workspace_members"`
	Resolve struct {
		Nodes []struct {
			ID   string `json:"id"`
			Deps []struct {
				Pkg   string `json:"pkg"`
				Kinds []struct {
					Kind string `json:"kind"` // "" or null, "build", "dev"
				} `json:"dep_kinds"`
			} `json:"deps"`
		} `json:"nodes"`
	} `json:"resolve"`
}

// Needed reads what `cargo metadata` says and tells which crates the packages of the workspace need that have these names, all of its
// members without names: what only their tests, examples and benches use is not among them.
func (l *Lock) Needed(output []byte, packages []string) (map[Crate]bool, error) {
	var m metadata
	if err := json.Unmarshal(metadataLine(output), &m); err != nil {
		return nil, fmt.Errorf("the output of cargo metadata: %w", err)
	}
	if len(m.Resolve.Nodes) == 0 {
		return nil, errors.New("cargo metadata names no packages")
	}
	edges := map[string][]string{}
	for _, n := range m.Resolve.Nodes {
		for _, d := range n.Deps {
			for _, k := range d.Kinds {
				if k.Kind != "dev" {
					edges[n.ID] = append(edges[n.ID], d.Pkg)
				}
			}
		}
	}
	ids := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		if ids[id] {
			return
		}
		ids[id] = true
		for _, to := range edges[id] {
			visit(to)
		}
	}
	for _, id := range m.roots(packages) {
		visit(id)
	}
	by := map[[3]string]Crate{}
	for _, c := range l.Crates {
		by[[3]string{c.Name, c.Version, c.Source}] = c
	}
	needed := map[Crate]bool{}
	for _, p := range m.Packages {
		if c, ok := by[[3]string{p.Name, p.Version, p.Source}]; ok && ids[p.ID] {
			needed[c] = true
		}
	}
	return needed, nil
}

// roots are the ids of the members that have these names; one that is no member by name makes all members count.
func (m *metadata) roots(packages []string) []string {
	members := map[string]bool{}
	for _, id := range m.Members {
		members[id] = true
	}
	names := map[string]string{}
	for _, p := range m.Packages {
		if members[p.ID] {
			names[p.Name] = p.ID
		}
	}
	var ids []string
	for _, name := range packages {
		id, ok := names[name]
		if !ok {
			return m.Members
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return m.Members
	}
	return ids
}

// metadataLine is the line of the output that is the answer: warnings may stand before it.
func metadataLine(output []byte) []byte {
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, `{"packages"`) {
			return []byte(line)
		}
	}
	return output
}
