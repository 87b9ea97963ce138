package crates

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

type table = map[string]any

// A crate of the lock that is not compiled (it is for another platform, or tests use it) is there as its manifest, which
// cargo resolves the lock with, and a file that must not be compiled.

// StubSource is the name of that file.
const StubSource = "left-out.rs"

// StubText is its text.
const StubText = "compile_error!(\"redox-clif left the files of this crate out: cargo said that no package of the step needs it\");\n"

// Stub is what is left of the manifest of such a crate: what its dependencies are resolved with. Features may name those of tests.
func Stub(manifest []byte) ([]byte, error) {
	var top table
	if err := toml.Unmarshal(manifest, &top); err != nil {
		return nil, err
	}
	pkg, _ := top["package"].(table)
	if pkg == nil {
		if pkg, _ = top["project"].(table); pkg == nil { // as old crates call it
			return nil, fmt.Errorf("the manifest has no package")
		}
	}
	short := table{"autobins": false, "autoexamples": false, "autotests": false, "autobenches": false, "build": false}
	for _, key := range []string{"name", "version", "edition", "resolver"} { // not links, which wants a build script
		if v, ok := pkg[key]; ok {
			short[key] = v
		}
	}
	lib := table{"path": StubSource}
	if old, _ := top["lib"].(table); old != nil {
		for _, key := range []string{"name", "proc-macro", "proc_macro"} {
			if v, ok := old[key]; ok {
				lib[key] = v
			}
		}
	}
	out := table{"package": short, "lib": lib}
	for _, key := range []string{"cargo-features", "features", "dependencies", "build-dependencies", "build_dependencies", "dev-dependencies", "dev_dependencies", "target"} {
		if v, ok := top[key]; ok {
			out[key] = v
		}
	}
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(out); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
