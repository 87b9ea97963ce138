package pkgrepo

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgversion"
)

// OriginsFile says of which version the packages of an installed system are, and by which key and index they came. It is relative to the
// system's root and ours, beside the state file of the system's own package manager, which has no place for that and does not mind.
const OriginsFile = "etc/pkg/origins.toml"

// origin is where an installed package came from. It holds only as long as the state file says that the same archive is installed.
type origin struct {
	Version string `toml:"version"`
	Blake3  string `toml:"blake3"`
	Key     string `toml:"key"`
	Serial  uint64 `toml:"serial"` // of the first signed index that has it; 0 if there was none
}

type origins map[Name]origin

// parseOrigins reads the file. One that is damaged says nothing: it can be done without, and is written anew with the next change.
func parseOrigins(data []byte) origins {
	var content struct {
		Package origins `toml:"package"`
	}
	if _, err := toml.Decode(string(data), &content); err != nil || content.Package == nil {
		return origins{}
	}
	return content.Package
}

func (o origins) toml() []byte {
	var b strings.Builder
	b.WriteString("# Where the installed packages came from, so that they do not go back to older ones unnoticed.\n")
	for _, name := range sortedKeys(o) {
		p := o[name]
		fmt.Fprintf(&b, "\n[package.%s]\nversion = %s\nblake3 = %s\nkey = %s\nserial = %d\n", quoteKey(string(name)), quote(p.Version), quote(p.Blake3), quote(p.Key), p.Serial)
	}
	return []byte(b.String())
}

// DowngradeError says that an installed package would go back.
type DowngradeError struct {
	Name    Name
	Problem string
}

func (e *DowngradeError) Error() string { return fmt.Sprintf("package %s: %s", e.Name, e.Problem) }

// check refuses packages that would go back behind what is installed.
func (o origins) check(state *State, install []Fetched) error {
	var all []error
	for i := range install {
		f := &install[i]
		have, ok := o[f.Name]
		if !ok || state.Installed[f.Name].Blake3 != have.Blake3 || f.Blake3 == have.Blake3 {
			continue
		}
		if problem := have.newerThan(f); problem != "" {
			all = append(all, &DowngradeError{Name: f.Name, Problem: problem})
		}
	}
	return joined(all)
}

// newerThan says why a package is taken for an older one than what is installed, "" if it is not.
func (o origin) newerThan(f *Fetched) string {
	switch {
	case pkgversion.Older(f.Version, o.Version):
		return fmt.Sprintf("version %s is installed, and version %s would come", o.Version, f.Version)
	case f.IsMeta() && f.Serial == 0:
		return fmt.Sprintf("version %s is installed, and a metapackage that nobody vouches for would take its files away", o.Version)
	case f.IsMeta():
		return ""
	case o.Serial == 0 || o.Key != f.Key.String():
		return ""
	case f.Serial == 0:
		return fmt.Sprintf("it was installed from a signed index (version %s), and no index vouches for what would come (version %s)", o.Version, f.Version)
	case f.Serial < o.Serial:
		return fmt.Sprintf("what is installed was signed for by index %d (version %s), and what would come by the older index %d (version %s)",
			o.Serial, o.Version, f.Serial, f.Version)
	}
	return ""
}

// update records what was installed, and forgets what is not there any more.
func (o origins) update(state *State, install []Fetched) {
	for i := range install {
		f := &install[i]
		if f.Key == (pkgar.PublicKey{}) {
			continue
		}
		next := origin{Version: f.Version, Blake3: f.Blake3, Key: f.Key.String(), Serial: f.Serial}
		if have := o[f.Name]; have.Blake3 == next.Blake3 && have.Key == next.Key { // the same again, perhaps from an older index
			next.Serial = max(next.Serial, have.Serial)
		}
		o[f.Name] = next
	}
	for name, p := range o {
		if state.Installed[name].Blake3 != p.Blake3 {
			delete(o, name)
		}
	}
}

// readOrigins reads the file of the system; one that cannot be read says nothing, unless a link would lead out.
func (i *installer) readOrigins() error {
	data, err := i.read(OriginsFile)
	var link *LinkError
	if errors.As(err, &link) {
		return err
	}
	i.origins = parseOrigins(data)
	return nil
}

// writeOrigins records what was installed. A system that never had anything to record gets no file.
func (i *installer) writeOrigins(install []Fetched) error {
	there := len(i.origins) > 0
	if i.origins.update(i.state, install); !there && len(i.origins) == 0 {
		return nil
	}
	return i.write(OriginsFile, i.origins.toml())
}
