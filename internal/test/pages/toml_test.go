package pages

import (
	"fmt"
	"path"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// readers are what reads a file at a place of the checkout.
var readers = []struct {
	place string
	read  func(file string, text []byte) error
}{
	{"recipes/*/recipe.toml", func(file string, text []byte) error {
		_, err := recipe.Parse(file, text)
		return err
	}},
	{"images/boot/*.toml", func(file string, text []byte) error {
		test, err := boottest.Parse(file, text)
		if err == nil {
			_, err = test.Script()
		}
		return err
	}},
	{"images/*.toml", func(file string, text []byte) error {
		_, err := disk.Parse("page", file, text)
		return err
	}},
	{"patches/*/*.toml", func(file string, text []byte) error {
		series := path.Base(path.Dir(file))
		_, err := patch.Load(fstest.MapFS{series + "/" + path.Base(file): &fstest.MapFile{Data: text}}, series)
		return err
	}},
	{"toolchain/sets/*/toolchain.toml", func(file string, text []byte) error {
		_, err := toolchain.DecodeSet(file, text)
		return err
	}},
	{"overrides.toml", func(file string, text []byte) error {
		_, err := source.LoadOverrides(file, text, nil, nil)
		return err
	}},
}

// readAs reads a file as what it has to be at its place.
func readAs(file string, text []byte) error {
	for _, r := range readers {
		if ok, err := filepath.Match(r.place, file); err == nil && ok {
			return r.read(file, text)
		}
	}
	return fmt.Errorf("nothing here says what %s has to be", file)
}

// TestTOML: an example that is a whole file is one that we take, and any other is TOML.
func TestTOML(t *testing.T) {
	whole := 0
	for _, p := range manuals(t) {
		for _, b := range p.blocks {
			if b.language != "toml" {
				continue
			}
			var err error
			if file := b.marks["file"]; file != "" {
				whole++
				err = readAs(file, []byte(b.text))
			} else {
				err = toml.Unmarshal([]byte(b.text), &map[string]any{})
			}
			if err != nil {
				t.Errorf("%s:%d: %v", p.path, b.line, err)
			}
		}
	}
	if whole < 8 {
		t.Errorf("only %d examples are whole files", whole)
	}
}

func TestWrongExamplesAreSeen(t *testing.T) {
	for _, r := range readers {
		file := path.Join(path.Dir(r.place), "x.toml")
		if path.Base(r.place) != "*.toml" {
			file = path.Join(path.Dir(r.place), path.Base(r.place))
		}
		if err := r.read(file, []byte("misspelt = 1\n")); err == nil {
			t.Errorf("%s takes anything", r.place)
		}
	}
}
