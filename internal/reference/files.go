package reference

import (
	"reflect"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/relibctest"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Stability is what a reader may rely on.
type Stability string

// The degrees, with what the pages say of each.
const (
	// Stable keys and variables keep their name, type and meaning. One that has to go is first refused by name, with what takes its place.
	Stable Stability = "stable"
	// Experimental keys may change or go with any commit, without notice.
	Experimental Stability = "experimental"
	// Generated files are written by a command and read by the same version of it; they are not for editing.
	Generated Stability = "generated"
)

// File is a kind of TOML file.
type File struct {
	// Name is that of its page and its schema.
	Name string
	// Path is where such files are, for people.
	Path string
	// Globs match them, as slash paths in the checkout; * matches within a name. Files outside of it have none.
	Globs []string
	// Type is the struct that they are decoded into.
	Type      reflect.Type
	Stability Stability
	// Example is a file of ours, "" where there is none.
	Example string
}

// Files are the kinds of file, in the order of the index.
func Files() []File {
	return []File{
		{"recipe", "recipes/<name>/recipe.toml", []string{"recipes/*/recipe.toml"}, reflect.TypeFor[recipe.Recipe](), Stable, "recipes/redoxfs/recipe.toml"},
		{"patch", "patches/<series>/NNNN-name.toml", []string{"patches/*/*.toml"}, reflect.TypeFor[patch.Document](), Stable, "patches/randd/0001-timer-jitter.toml"},
		{"image", "images/<name>.toml", []string{"images/*.toml"}, reflect.TypeFor[disk.Description](), Stable, "images/pure-rust.toml"},
		{"target", "targets/<triple>.toml", []string{"targets/*.toml", "targets/base/*.toml"}, reflect.TypeFor[targetspec.Spec](), Stable, "targets/base/redox-user.toml"},
		{"toolchain", "toolchain/toolchain.toml", []string{"toolchain/toolchain.toml", "toolchain/sets/*/toolchain.toml"}, reflect.TypeFor[toolchain.Pin](), Stable, "toolchain/toolchain.toml"},
		{"overrides", "overrides.toml", []string{"overrides.toml"}, reflect.TypeFor[source.Document](), Stable, ""},
		{"packages", "packages.toml", []string{"packages.toml"}, reflect.TypeFor[packages.Repositories](), Stable, ""},
		{"boot", "images/boot/<name>.toml", []string{"images/boot/*.toml"}, reflect.TypeFor[boottest.Test](), Experimental, "images/boot/net.toml"},
		{"build", "toolchain/builds/<name>.toml", []string{"toolchain/builds/*.toml"}, reflect.TypeFor[rustbuild.Recipe](), Experimental, "toolchain/builds/cranelift-1.96.0.toml"},
		{"difftest", "recipes/difftest/expected.toml", []string{"recipes/difftest/expected.toml"}, reflect.TypeFor[difftest.Expected](), Experimental, "recipes/difftest/expected.toml"},
		{"relibc-tests", "recipes/relibc-tests/known.toml", []string{"recipes/relibc-tests/known.toml"}, reflect.TypeFor[relibctest.List](), Experimental, "recipes/relibc-tests/known.toml"},
		{"lock", "recipes/lock.toml", []string{"recipes/lock.toml"}, reflect.TypeFor[drift.Lock](), Generated, "recipes/lock.toml"},
		{"toolchain-lock", "toolchain/toolchain.lock.toml", []string{"toolchain/toolchain.lock.toml", "toolchain/sets/*/toolchain.lock.toml"}, reflect.TypeFor[toolchain.Lock](), Generated, "toolchain/toolchain.lock.toml"},
		{"toolchain-manifest", "redox-clif-toolchain.toml", nil, reflect.TypeFor[rustbuild.Manifest](), Generated, ""},
	}
}
