package builder

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/source"
)

// A program says what made it. That another folder took the place of its source, or of a submodule, is in the manifest alone: with the same
// content it is the same program.
func TestAnOverrideIsInTheManifestAlone(t *testing.T) {
	for name, test := range map[string]struct{ file, overrides, source string }{
		"a repository":  {"base:programs/init", "[source.base]\ndir = \"DIR\"\n", "https://gitlab.redox-os.org/redox-os/base.git at "},
		"another fork":  {"base:programs/init", "[source.base]\ngit = \"https://h/x.git\"\ncommit = \"" + strings.Repeat("1", 40) + "\"\n", "https://gitlab.redox-os.org/redox-os/base.git at "},
		"a crate":       {"coreutils:coreutils/coreutils", "[source.coreutils]\ndir = \"DIR\"\n", "crate coreutils 0.5.0"},
		"a submodule":   {"relibc:relibc/librelibc.a", "[source.\"relibc/openlibm\"]\ndir = \"DIR\"\n", "https://gitlab.redox-os.org/redox-os/relibc.git at "},
		"of this place": {"demo:programs/init", "[source.demo]\ndir = \"DIR\"\n", "recipes/demo"},
	} {
		says := func(toml string) (note []byte, record manifest.File) {
			t.Helper()
			b := newBuilder(t, func(o *Options) {
				var err error
				if o.Sources.Overrides, err = source.LoadOverrides(filepath.Join(t.TempDir(), "overrides.toml"), []byte(toml), nil, nil); err != nil {
					t.Fatal(err)
				}
			})
			recipe, ref, _ := strings.Cut(test.file, ":")
			r, err := b.recipe(recipe)
			if err != nil {
				t.Fatal(err)
			}
			places, err := b.resolve(r, ref)
			if err != nil {
				t.Fatal(err)
			}
			s := &staging{b: b, r: r}
			if note, err = s.note(nil, places[0].node, places[0].ref); err != nil {
				t.Fatal(err)
			}
			if record, err = s.provenanceOf(nil, places[0].node, places[0].ref, ""); err != nil {
				t.Fatal(err)
			}
			return note, record
		}
		locked, before := says("")
		overridden, after := says(strings.ReplaceAll(test.overrides, "DIR", t.TempDir()))
		if !bytes.Equal(locked, overridden) || !bytes.Contains(locked, []byte("\nsource="+test.source)) {
			t.Errorf("%s: the program says %q and, overridden, %q", name, locked, overridden)
		}
		if before.Overridden || !after.Overridden || before.Source != after.Source {
			t.Errorf("%s: the manifest says %+v, and overridden %+v", name, before, after)
		}
	}
}
