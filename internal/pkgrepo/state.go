package pkgrepo

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/pkgar"
)

// Where an installed system keeps its state, relative to its root.
const (
	StateFile = "etc/pkg/packages.toml"
	HeadDir   = "var/lib/packages" // NAME.pkgar_head: header and entry table of every installed archive
)

// HeadFile is the path, relative to the root, of the head of an installed package.
func HeadFile(name Name) string { return HeadDir + "/" + string(name) + ".pkgar_head" }

// State is the file with what is installed, as the system's own package manager reads and writes it.
type State struct {
	Protected []Name              `toml:"protected"` // not to be removed by accident
	PubKeys   map[string]StateKey `toml:"pubkeys"`   // by repository
	Installed map[Name]Installed  `toml:"installed"`
}

// StateKey is the key of a repository.
type StateKey struct {
	PKey string `toml:"pkey"`
}

// Installed is one package.
type Installed struct {
	Remote       string `toml:"remote"`
	Blake3       string `toml:"blake3"`
	Manual       bool   `toml:"manual"` // asked for, not only needed by others
	StorageSize  uint64 `toml:"storage_size"`
	Dependencies []Name `toml:"dependencies"`
	Dependents   []Name `toml:"dependents"`
}

// defaultProtected is what the reference protects on a system without a state file.
var defaultProtected = []Name{"base", "base-initfs", "ion", "kernel", "libgcc", "libstdcxx", "pkg", "relibc"}

// ParseState decodes a state file. No data gives the state of a new system.
func ParseState(data []byte) (*State, error) {
	s := &State{Protected: slices.Clone(defaultProtected)}
	if _, err := toml.Decode(string(data), s); err != nil {
		return nil, err
	}
	if s.PubKeys == nil {
		s.PubKeys = map[string]StateKey{}
	}
	if s.Installed == nil {
		s.Installed = map[Name]Installed{}
	}
	for _, name := range sortedKeys(s.Installed) {
		if _, err := ParseName(string(name)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// TOML is the state as a file.
func (s *State) TOML() []byte {
	var b strings.Builder
	b.WriteString("protected = " + quoteList(sorted(s.Protected)) + "\n")
	b.WriteString("\n[pubkeys]\n")
	for _, repo := range sortedKeys(s.PubKeys) {
		fmt.Fprintf(&b, "\n[pubkeys.%s]\npkey = %s\n", quoteKey(repo), quote(s.PubKeys[repo].PKey))
	}
	b.WriteString("\n[installed]\n")
	for _, name := range sortedKeys(s.Installed) {
		p := s.Installed[name]
		fmt.Fprintf(&b, "\n[installed.%s]\nremote = %s\nblake3 = %s\nmanual = %s\nstorage_size = %d\ndependencies = %s\ndependents = %s\n",
			quoteKey(string(name)), quote(p.Remote), quote(p.Blake3), quoteBool(p.Manual), p.StorageSize,
			quoteList(sorted(p.Dependencies)), quoteList(sorted(p.Dependents)))
	}
	return []byte(b.String())
}

func sorted(names []Name) []Name {
	list := slices.Clone(names)
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	return slices.Compact(list)
}

// Has reports whether a package is installed; its method value suits Client.Resolve.
func (s *State) Has(name Name) bool {
	_, ok := s.Installed[name]
	return ok
}

// Add records packages as installed or replaced.
func (s *State) Add(fetched []Fetched) {
	for i := range fetched {
		f := &fetched[i]
		old := s.Installed[f.Name]
		s.Installed[f.Name] = Installed{Remote: f.Repo, Blake3: f.Blake3, Manual: old.Manual || f.Round == 1, StorageSize: f.StorageSize,
			Dependencies: sorted(f.Depends), Dependents: old.Dependents}
		if f.Key != (pkgar.PublicKey{}) {
			s.PubKeys[f.Repo] = StateKey{PKey: f.Key.String()}
		}
	}
	s.relink()
}

// relink computes who depends on whom anew; packages that are not installed do not count.
func (s *State) relink() {
	dependents := map[Name][]Name{}
	for _, name := range sortedKeys(s.Installed) {
		for _, d := range s.Installed[name].Dependencies {
			dependents[d] = append(dependents[d], name)
		}
	}
	for name, p := range s.Installed {
		p.Dependents = dependents[name]
		s.Installed[name] = p
	}
}

// RemovalError says that packages cannot be removed.
type RemovalError struct {
	Protected []Name          // asked for and protected
	Needed    map[Name][]Name // asked for, and the remaining packages that need them
	Unknown   []Name          // asked for and not installed
}

func (e *RemovalError) Error() string {
	var parts []string
	for _, n := range e.Unknown {
		parts = append(parts, fmt.Sprintf("%s is not installed", n))
	}
	for _, n := range e.Protected {
		parts = append(parts, fmt.Sprintf("%s is protected", n))
	}
	for _, n := range sortedKeys(e.Needed) {
		parts = append(parts, fmt.Sprintf("%s is needed by %s", n, quoteList(e.Needed[n])))
	}
	return strings.Join(parts, "; ")
}

// Remove takes packages out of the state, and those that were installed only because of them. It returns all that went, sorted.
// If one of the packages is protected, or needed by a package that stays, nothing changes: *RemovalError.
func (s *State) Remove(names []Name) ([]Name, error) {
	if len(names) == 0 {
		return nil, nil
	}
	failure := &RemovalError{Needed: map[Name][]Name{}}
	gone := map[Name]bool{}
	for _, n := range names {
		gone[n] = true
	}
	for _, n := range names {
		if !s.Has(n) {
			failure.Unknown = append(failure.Unknown, n)
		}
		if slices.Contains(s.Protected, n) {
			failure.Protected = append(failure.Protected, n)
		}
		for _, by := range s.Installed[n].Dependents {
			if !gone[by] {
				failure.Needed[n] = append(failure.Needed[n], by)
			}
		}
	}
	if len(failure.Protected)+len(failure.Needed)+len(failure.Unknown) > 0 {
		return nil, failure
	}
	s.addOrphans(gone)
	for n := range gone {
		delete(s.Installed, n)
	}
	s.relink()
	return sortedKeys(gone), nil
}

// addOrphans adds the packages that nobody asked for and that only packages in gone need.
func (s *State) addOrphans(gone map[Name]bool) {
	for changed := true; changed; {
		changed = false
		for name, p := range s.Installed {
			if gone[name] || p.Manual || slices.Contains(s.Protected, name) || len(p.Dependents) == 0 {
				continue
			}
			if !slices.ContainsFunc(p.Dependents, func(by Name) bool { return !gone[by] }) {
				gone[name] = true
				changed = true
			}
		}
	}
}

// Upgrades lists installed packages of which the repository that they came from has another archive now, sorted.
func (s *State) Upgrades(indexes []RepoIndex) []Name {
	var list []Name
	for _, name := range sortedKeys(s.Installed) {
		for _, x := range indexes {
			if hash, ok := x.Packages[string(name)]; ok && x.Repo == s.Installed[name].Remote && hash != s.Installed[name].Blake3 {
				list = append(list, name)
			}
		}
	}
	return list
}
