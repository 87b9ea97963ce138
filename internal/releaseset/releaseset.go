// Package releaseset knows the release sets of a checkout: which there are, which one is active, and where each one's pin lives.
//
// It owns the files below toolchain/ as far as they name sets: toolchain.toml has the active set with its pin,
// sets/NAME/toolchain.toml another one. It must not know recipes: what differs in them in a set is theirs to say, by its name.
package releaseset

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/nearest"
	"github.com/pannous/redox-clif/internal/tomlfile"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Names of files below the folder of toolchains.
const (
	File     = "toolchain.toml"      // a set: the active one, and below Folder/NAME another
	LockFile = "toolchain.lock.toml" // beside it what was verified of its pin
	Folder   = "sets"                // the other sets
)

// Set is a release set: what belongs together because it is of one time.
type Set struct {
	// Name is "" where the checkout has not named its one set.
	Name        string
	Description string
	// Path is the file that describes it.
	Path string
	// Pin and PinLock are the files of its pin and of what was verified of it. They may be those of a set that it inherits from.
	Pin, PinLock string
	// Tables are the names under which recipes say what differs, in the order in which they hold.
	Tables []string
	// Active says that the checkout works with it where nothing else is asked for.
	Active bool
	// Variant is the set whose pin this is, "" for that of a set that inherits nothing: what is written for a pin and lies beside
	// the same for another one needs a name of its own.
	Variant string

	inherits string
	ownPin   bool
	text     []byte
}

// Sets are those of a checkout, the active one first and the others by name.
type Sets []Set

// Load reads the sets. dir is the folder of toolchains. All mistakes of all files come back at once.
func Load(dir string) (Sets, error) {
	active, err := read(filepath.Join(dir, File), "")
	if err != nil {
		return nil, err
	}
	active.Active, active.ownPin = true, true
	sets := Sets{*active}
	files, err := globdir.In(filepath.Join(dir, Folder), "*/"+File)
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var wrong *multierror.Error
	for _, file := range files {
		one, err := read(file, filepath.Base(filepath.Dir(file)))
		wrong = multierror.Append(wrong, err)
		if err == nil {
			sets = append(sets, *one)
		}
	}
	if wrong.ErrorOrNil() == nil {
		wrong = multierror.Append(wrong, sets.connect()...)
	}
	if wrong != nil {
		wrong.ErrorFormat = errs.Lines
	}
	return sets, errs.One(wrong)
}

// validName is what can name a set: a folder of out/ and a table of recipes are called so.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// read reads the file of a set. name is what its folder is called, "" for that of the active set, which says it.
func read(file, name string) (*Set, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a release set: %w", err)
	}
	pin, err := toolchain.DecodeSet(file, text)
	if err != nil {
		return nil, err
	}
	s := &Set{Name: name, Description: pin.Description, Path: file, inherits: pin.Inherits, ownPin: pin.Toolchain.Channel != "", text: text}
	switch {
	case name == "":
		s.Name = pin.Set
	case pin.Set != "":
		return nil, tomlfile.At(file, text, []string{"set"}, "the active set alone is named here; this one is called by its folder")
	}
	if s.Name != "" && !validName.MatchString(s.Name) {
		return nil, tomlfile.At(file, text, []string{"set"}, "%q is no name of a release set (letters, digits, - and _)", s.Name)
	}
	return s, nil
}

// connect fills in what sets have of those that they inherit from.
func (sets Sets) connect() []error {
	var wrong []error
	for i := range sets {
		s := &sets[i]
		if i > 0 && s.Name == sets[0].Name {
			wrong = append(wrong, fmt.Errorf("%s: the active set is called %s too (%s)", s.Path, s.Name, sets[0].Path))
			continue
		}
		if err := sets.inherit(s); err != nil {
			wrong = append(wrong, err)
		}
	}
	return wrong
}

func (sets Sets) inherit(s *Set) error {
	for at := s; ; {
		if slices.Contains(s.Tables, at.Name) {
			return s.at("%s inherits from itself", s.Name)
		}
		s.Tables = append([]string{at.Name}, s.Tables...)
		if at.ownPin && s.Pin == "" {
			s.Pin, s.PinLock = at.Path, filepath.Join(filepath.Dir(at.Path), LockFile)
			if at.inherits != "" {
				s.Variant = at.Name
			}
		}
		if at.inherits == "" {
			break
		}
		next, err := sets.find(at.inherits)
		if err != nil {
			return s.at("%v", err)
		}
		at = next
	}
	if s.Pin == "" {
		return s.at("%s has no pin: [toolchain] with a channel, or `inherits` for that of another set", s.Name)
	}
	return nil
}

// at is a mistake at the place where the set inherits.
func (s *Set) at(format string, args ...any) error {
	return tomlfile.At(s.Path, s.text, []string{"inherits"}, format, args...)
}

// Active is the set that the checkout works with.
func (sets Sets) Active() Set { return sets[0] }

// Names are their names; a set without one is left out.
func (sets Sets) Names() []string {
	var names []string
	for _, s := range sets {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// Tables are the tables of each set by its name; a set without one is left out.
func (sets Sets) Tables() map[string][]string {
	tables := map[string][]string{}
	for _, s := range sets {
		if s.Name != "" {
			tables[s.Name] = s.Tables
		}
	}
	return tables
}

// Find returns the set of that name, for "" the active one. The error says which there are.
func (sets Sets) Find(name string) (Set, error) {
	if name == "" {
		return sets.Active(), nil
	}
	found, err := sets.find(name)
	if err != nil {
		return Set{}, err
	}
	return *found, nil
}

func (sets Sets) find(name string) (*Set, error) {
	for i := range sets {
		if sets[i].Name == name {
			return &sets[i], nil
		}
	}
	names := sets.Names()
	if near := nearest.Names(name, names); len(near) > 0 {
		return nil, fmt.Errorf("there is no release set %q; did you mean %q?", name, near[0])
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no release set %q: this checkout has one, without a name", name)
	}
	return nil, fmt.Errorf("there is no release set %q; there are %s", name, strings.Join(names, ", "))
}
