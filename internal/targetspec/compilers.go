package targetspec

import (
	"fmt"
	"maps"
	"strings"
)

// CompilersFile is the file of this list, as a slash path below the checkout: `mage drift` names it when the pinned compiler
// is missing in it or is another by now.
const CompilersFile = "internal/targetspec/compilers.go"

// knownCompilers are what package toolchain measured of the compilers this project is tested with, for machines that do not
// have them. What is installed is always measured instead.
func knownCompilers() []Compiler {
	return []Compiler{
		{Release: "1.94.0-nightly", SoftFloatABI: map[string]string{"x86_64": "x86-softfloat"}},
		{Release: "1.96.0-nightly", SoftFloatABI: map[string]string{"aarch64": "softfloat", "x86_64": "softfloat"}},
		{Release: "1.98.0-nightly", SoftFloatABI: map[string]string{"aarch64": "softfloat", "x86_64": "softfloat"}, NoWeakLinkage: true},
	}
}

// KnownCompiler finds a compiler by its release, with or without its patch level and channel: "1.94", "1.94.0-nightly". The
// error says which are known.
func KnownCompiler(release string) (Compiler, error) {
	var known []string
	for _, c := range knownCompilers() {
		if c.Release == release || strings.HasPrefix(c.Release, release+".") || strings.HasPrefix(c.Release, release+"-") {
			return c, nil
		}
		known = append(known, c.Release)
	}
	return Compiler{}, fmt.Errorf("what rustc %q wants is not known; known are %s, and -compiler=installed measures", release, strings.Join(known, ", "))
}

// Equal tells whether specifications for both compilers are the same.
func (c Compiler) Equal(other Compiler) bool {
	return c.PointerWidthString == other.PointerWidthString && c.NoWeakLinkage == other.NoWeakLinkage && maps.Equal(c.SoftFloatABI, other.SoftFloatABI)
}

// GoString is a row of knownCompilers.
func (c Compiler) GoString() string {
	type row Compiler
	return strings.TrimPrefix(fmt.Sprintf("%#v", row(c)), "targetspec.row")
}
