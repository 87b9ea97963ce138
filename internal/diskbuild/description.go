package diskbuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/session"
)

// Flags replace parts of a description for one build. The values are files.
type Flags struct {
	Name                   string // of the description; "" is DefaultImage
	Loader, Kernel, Initfs string
	Out                    string // "" is out/<target>/<name>.img
}

// Describe reads images/<name>.toml and puts the flags' files in.
func Describe(s *session.Session, f Flags) (*disk.Description, error) {
	name := f.Name
	if name == "" {
		name = DefaultImage
	}
	d, err := described(s, name)
	if err != nil {
		return nil, err
	}
	for _, o := range []struct {
		flag string
		ref  *string
	}{{f.Loader, &d.Boot.Loader}, {f.Kernel, &d.Boot.Kernel}, {f.Initfs, &d.Boot.Initfs}} {
		if o.flag == "" {
			continue
		}
		abs, err := filepath.Abs(o.flag)
		if err != nil {
			return nil, err
		}
		*o.ref = FilePrefix + abs
	}
	return d, nil
}

// described reads a description, and those that it is like.
func described(s *session.Session, name string) (*disk.Description, error) {
	d, err := read(s, name)
	seen := map[string]bool{name: true}
	for err == nil && d.Like != "" {
		if seen[d.Like] {
			return nil, fmt.Errorf("images/%s.toml is like itself: like = %q leads back to it", name, d.Like)
		}
		seen[d.Like] = true
		base, baseErr := read(s, d.Like)
		if baseErr != nil {
			return nil, fmt.Errorf("images/%s.toml: like: %w", name, baseErr)
		}
		d = d.Over(base)
	}
	return d, err
}

func read(s *session.Session, name string) (*disk.Description, error) {
	file := filepath.Join(s.Config.Root, "images", name+".toml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no image %q; there are %s", name, strings.Join(Names(s, "images"), ", "))
	}
	if err != nil {
		return nil, err
	}
	return disk.Parse(name, s.Relative(file), text)
}

// Names are those of the descriptions in a folder of the checkout.
func Names(s *session.Session, dir string) []string {
	files, _ := globdir.In(filepath.Join(s.Config.Root, dir), "*.toml")
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".toml"))
	}
	return names
}
