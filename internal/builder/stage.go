package builder

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// Stage is the node of a recipe's staged tree. Its output has the tree in root/ and manifest.json.
func (b *Builder) Stage(name string) (*graph.Node, error) {
	r, err := b.recipe(name)
	if err != nil {
		return nil, err
	}
	return b.stage(name, r, r.Files)
}

// The parts of a sysroot. C is compiled with the headers, for which no library has to be there; programs are linked with
// the libraries, for which neither the headers nor the tool that makes them have to.
const (
	libraries = "lib"
	headers   = "include"
)

// sysroot is a part of a sysroot, nil if it has none of it.
func (b *Builder) sysroot(name, part string) (*graph.Node, error) {
	r, err := b.recipe(name)
	if err != nil {
		return nil, err
	}
	var files []recipe.File
	for _, f := range r.Files {
		if f.To == "" || f.To == part || strings.HasPrefix(f.To, part+"/") {
			files = append(files, f)
		}
	}
	switch len(files) {
	case 0:
		return nil, nil
	case len(r.Files):
		return b.Stage(name)
	}
	return b.stage(name+"/"+part, r, files)
}

// stage is a node of some of a recipe's files.
func (b *Builder) stage(id string, r *recipe.Recipe, files []recipe.File) (*graph.Node, error) {
	return b.nodes.Once(id, func(n *graph.Node) error {
		// Made here and not in compose: composing runs beside other nodes, making the graph does not.
		spec, err := b.spec(b.o.Target)
		if err != nil {
			return err
		}
		s := &staging{b: b, r: r, target: cas.DigestBytes(spec).Hash}
		for _, f := range files {
			if err := s.add(n, f); err != nil {
				return r.Place(err)
			}
		}
		n.Deps = graph.Unique(n.Deps)
		n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) { return s.compose(in) }
		return nil
	})
}

// staging is a recipe's files bound to nodes.
type staging struct {
	b     *Builder
	r     *recipe.Recipe
	files []stagedFile
	// target is the SHA-256 of the user-space target's JSON.
	target string
}

type stagedFile struct {
	recipe.File
	places []resolved
	// strip is the node that strips the file, nil if it is taken as it is.
	strip *graph.Node
}

func (s *staging) add(n *graph.Node, f recipe.File) error {
	places, err := s.b.resolve(s.r, f.From)
	if err != nil {
		return err
	}
	staged := stagedFile{File: f, places: places}
	n.Deps = append(n.Deps, nodesOf(places)...)
	if f.Strip != "" {
		if staged.strip, err = s.stripNode(f, places); err != nil {
			return err
		}
		n.Deps = append(n.Deps, staged.strip)
	}
	s.files = append(s.files, staged)
	return nil
}

// note is what a program will say of its own making, nil for what no compiler of ours made. Nothing in it depends on the source's content, nor
// on whether the user has put another in its place: an edit that changes no code changes no program, and a folder with the same content makes
// the same one. That a source was overridden is in the manifest.
func (s *staging) note(in graph.Outputs, from *graph.Node, ref recipe.Ref) ([]byte, error) {
	if ref.Recipe != "" {
		return nil, nil // has one from there
	}
	rec, err := s.provenanceOf(in, from, ref, "")
	if err != nil || rec.Backend == "" {
		return nil, err
	}
	return elfcheck.Making{
		Backend: rec.Backend, Compiler: rec.Compiler, Recipe: rec.Recipe, Set: s.r.Release, Source: rec.Source, Patches: rec.Patches, C: rec.C, Sysroot: rec.Sysroot,
	}.Note().Encode(), nil
}

// compose puts the staged tree and its manifest together, from digests alone.
func (s *staging) compose(in graph.Outputs) (cas.Digest, error) {
	m := &manifest.Manifest{Recipe: s.r.Name, Target: s.b.o.Target, Set: s.b.o.Set, Toolchain: s.b.o.Tools.Name, Spec: s.target}
	tree := cas.NewTree()
	for _, f := range s.files {
		if err := s.place(in, tree, m, f); err != nil {
			return cas.Digest{}, err
		}
	}
	if err := filesInFiles(tree); err != nil {
		return cas.Digest{}, err
	}
	s.b.sysroots(m)
	text, err := m.Encode()
	if err != nil {
		return cas.Digest{}, err
	}
	// The manifest names every file by its digest: one that is there already was looked through when it came.
	if !s.b.store.Has(cas.DigestBytes(text)) {
		if err := s.checkSecrets(m); err != nil {
			return cas.Digest{}, err
		}
	}
	stored, err := s.b.store.PutBytes(text)
	if err != nil {
		return cas.Digest{}, err
	}
	root := cas.NewTree()
	root.Graft("root", tree)
	root.Entries[manifest.FileName] = cas.Entry{Digest: stored}
	return s.b.store.PutTree(root)
}

// checkSecrets refuses secret keys: what is staged goes into packages and images.
func (s *staging) checkSecrets(m *manifest.Manifest) error {
	for _, f := range m.Files {
		if f.Link != "" || !secretkey.Possible(f.Size) {
			continue
		}
		data, err := s.b.store.ReadAll(cas.Digest{Hash: f.SHA256, Size: f.Size})
		if err != nil {
			return err
		}
		if secretkey.Is(data) {
			return &secretkey.Error{Place: f.Path}
		}
	}
	return nil
}

// place adds one file, or everything below one folder.
func (s *staging) place(in graph.Outputs, tree *cas.Tree, m *manifest.Manifest, f stagedFile) error {
	e, from, err := s.b.find(in, f.places, f.From)
	if err != nil {
		return err
	}
	if f.strip != nil {
		if e, _, err = s.b.store.Lookup(in[f.strip], "stripped"); err != nil {
			return err
		}
	}
	if !e.Dir {
		rec, err := s.provenanceOf(in, from, f.places[0].ref, "")
		if err != nil {
			return err
		}
		if err := s.placeOne(tree, m, f, f.To, e, rec); err != nil {
			return err
		}
		return s.placeLinks(tree, m, f)
	}
	if len(f.Links) > 0 {
		return fmt.Errorf("%q is a folder: links are for one file", f.From)
	}
	below, err := s.b.store.LoadTree(e.Digest)
	if err != nil {
		return err
	}
	for _, p := range below.Paths() {
		if below.Entries[p].Dir {
			tree.Entries[path.Join(f.To, p)] = below.Entries[p]
			continue
		}
		rec, err := s.provenanceOf(in, from, f.places[0].ref, p)
		if err != nil {
			return err
		}
		if err := s.placeOne(tree, m, f, path.Join(f.To, p), below.Entries[p], rec); err != nil {
			return err
		}
	}
	return nil
}

// placeLinks adds the other names of a file. They are relative, so that they hold wherever the
// stage is unpacked.
func (s *staging) placeLinks(tree *cas.Tree, m *manifest.Manifest, f stagedFile) error {
	for _, link := range f.Links {
		target, err := filepath.Rel(path.Dir(link), f.To)
		if err != nil {
			return err
		}
		named := stagedFile{File: recipe.File{From: f.From, Mode: "0777"}}
		if err := s.placeOne(tree, m, named, link, cas.Entry{Link: filepath.ToSlash(target)}, manifest.File{Recipe: s.r.Name}); err != nil {
			return err
		}
	}
	return nil
}

func (s *staging) placeOne(tree *cas.Tree, m *manifest.Manifest, f stagedFile, to string, e cas.Entry, rec manifest.File) error {
	if to == "" {
		return fmt.Errorf("%q is a file: `to` has to say its path in the stage", f.From)
	}
	if _, taken := tree.Entries[to]; taken {
		return fmt.Errorf("two files are placed at %s (the second from %q)", to, f.From)
	}
	perm, err := f.Perm(e.Executable)
	if err != nil {
		return err
	}
	if f.Mode == "" && rec.Mode != "" {
		if perm, err = rec.Perm(); err != nil {
			return err
		}
	}
	e.Executable = e.Link == "" && perm&0o111 != 0
	tree.Entries[to] = e
	rec.Path, rec.Mode, rec.Link = to, fmt.Sprintf("%04o", perm), e.Link
	rec.Size, rec.SHA256 = e.Digest.Size, e.Digest.Hash
	m.Files = append(m.Files, rec)
	return nil
}

// filesInFiles finds a file placed below the path of another file, which no file system can hold.
func filesInFiles(tree *cas.Tree) error {
	for _, p := range tree.Paths() {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if e, ok := tree.Entries[dir]; ok && !e.Dir {
				return fmt.Errorf("a file is placed at %s, but %s is a file and no folder", p, dir)
			}
		}
	}
	return nil
}

// provenanceOf carries over what another recipe's manifest says of a file, or says it for the first time.
func (s *staging) provenanceOf(in graph.Outputs, from *graph.Node, ref recipe.Ref, below string) (manifest.File, error) {
	if ref.Recipe != "" {
		m, err := s.b.manifest(in[from])
		if err != nil {
			return manifest.File{}, err
		}
		for _, rec := range m.Files {
			if rec.Path == path.Join(ref.Path, below) {
				return rec, nil
			}
		}
		return manifest.File{Recipe: ref.Recipe}, nil
	}
	p, ok := s.b.provenance[from]
	if !ok {
		p = provenance{recipe: s.r}
	}
	return s.b.record(p)
}

// manifest reads the manifest of a staged tree, each once: it is asked for every file that is taken from the tree.
// Nobody may change it.
func (b *Builder) manifest(stage cas.Digest) (*manifest.Manifest, error) {
	if m, ok := b.manifests.Load(stage); ok {
		return m.(*manifest.Manifest), nil
	}
	m, err := b.readManifest(stage)
	if err == nil {
		b.manifests.Store(stage, m)
	}
	return m, err
}

func (b *Builder) readManifest(stage cas.Digest) (*manifest.Manifest, error) {
	e, ok, err := b.store.Lookup(stage, manifest.FileName)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("the staged tree has no manifest")
	}
	text, err := b.store.ReadAll(e.Digest)
	if err != nil {
		return nil, err
	}
	return manifest.Read(text)
}
