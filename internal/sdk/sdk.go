// Package sdk is a folder by which anybody's own crate is built for Redox with cargo alone: what is in it, and how it is packed.
//
// It owns the layout of the folder and the texts of its scripts and configuration, in files/. Nothing in it names a place of a machine, so
// that it can be moved. It must not know how the libraries in it are built.
package sdk

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"text/template"

	"github.com/pannous/redox-clif/internal/cas"
)

// Kit says what the folder is for.
type Kit struct {
	// Triple is the target's name.
	Triple string
	// Release and Commit are those that the compiler says of itself. Channel is what rustup calls it, "" when it is none of rustup's.
	Release, Commit, Channel string
	// Flags are rustc's for the target, without places.
	Flags []string
	// Cranelift: it makes the code. Core: there are core and alloc only.
	Cranelift, Core bool
}

//go:embed files/*.tmpl
var files embed.FS

// texts are the files that are made here, by their place in the folder.
var texts = map[string]struct {
	template   string
	executable bool
}{
	"README.md":            {"README.md.tmpl", false},
	"bin/cargo":            {"cargo.sh.tmpl", true},
	"cargo/config.toml":    {"config.toml.tmpl", false},
	"libexec/rustc":        {"rustc.sh.tmpl", true},
	"libexec/toolchain.sh": {"toolchain.sh.tmpl", false},
}

// Parts are trees of a store that become part of the folder.
type Parts struct {
	// Std has the crates of the standard library as rustc looks for them: lib/rustlib/TRIPLE/lib.
	Std cas.Digest
	// Sysroot has lib with the CRT objects and C libraries, and perhaps include.
	Sysroot cas.Digest
	// Spec is the target's JSON.
	Spec []byte
}

// Tree puts the folder together in a store.
func (k *Kit) Tree(store *cas.Store, parts Parts) (cas.Digest, error) {
	tree := cas.NewTree()
	for at, root := range map[string]cas.Digest{"": parts.Std, "sysroot": parts.Sysroot} {
		part, err := store.LoadTree(root)
		if err != nil {
			return cas.Digest{}, err
		}
		for p, e := range part.Entries {
			tree.Entries[path.Join(at, p)] = e
		}
	}
	put := func(at string, text []byte, executable bool) error {
		d, err := store.PutBytes(text)
		tree.Entries[at] = cas.Entry{Digest: d, Executable: executable}
		return err
	}
	if err := put(path.Join("lib/rustlib", k.Triple, k.Triple+".json"), parts.Spec, false); err != nil {
		return cas.Digest{}, err
	}
	for at, t := range texts {
		text, err := k.text(t.template)
		if err != nil {
			return cas.Digest{}, err
		}
		if err := put(at, text, t.executable); err != nil {
			return cas.Digest{}, err
		}
	}
	return store.PutTree(tree)
}

func (k *Kit) text(name string) ([]byte, error) {
	t, err := template.ParseFS(files, "files/"+name)
	if err != nil {
		return nil, fmt.Errorf("the text of %s: %w", name, err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, k)
	return out.Bytes(), err
}
