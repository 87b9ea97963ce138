package builder

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
)

// initfsVersion is raised when another image is made of the same files.
const initfsVersion = 3

// ImageName is the name of an image in the output of its node.
const ImageName = "initfs.img"

// ErrNoImage says that a recipe makes no image.
var ErrNoImage = errors.New("the recipe has no [initfs] table, so it makes no image")

// Initfs is the node of a recipe's initfs image. Its output has initfs.img and manifest.json. The image is packed by a step of its own, which
// sees of the manifest what is packed: another word on where a file comes from packs nothing again.
func (b *Builder) Initfs(name string) (*graph.Node, error) {
	r, err := b.recipe(name)
	if err != nil {
		return nil, err
	}
	if r.Initfs == nil {
		return nil, fmt.Errorf("recipe %s: %w", name, ErrNoImage)
	}
	stage, err := b.Stage(name)
	if err != nil {
		return nil, err
	}
	bootstrap, err := b.resolve(r, r.Initfs.Bootstrap)
	if err != nil {
		return nil, err
	}
	image, err := b.packedNode(r, stage, bootstrap)
	if err != nil {
		return nil, err
	}
	return b.nodes.Once(name+"/image", func(n *graph.Node) error {
		n.Deps = graph.Unique(append([]*graph.Node{image, stage}, nodesOf(bootstrap)...))
		n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) {
			_, origin, err := b.bootstrapOf(in, r, bootstrap)
			if err != nil {
				return cas.Digest{}, err
			}
			return b.describeImage(in[image], in[stage], origin)
		}
		return nil
	})
}

// packedNode is the node that packs the files of a stage.
func (b *Builder) packedNode(r *recipe.Recipe, stage *graph.Node, bootstrap []resolved) (*graph.Node, error) {
	return b.nodes.Once(r.Name+"/initfs", func(n *graph.Node) error {
		n.Deps = graph.Unique(append([]*graph.Node{stage}, nodesOf(bootstrap)...))
		n.Memory = 64 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			return b.initfsAction(in, r, stage, bootstrap)
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return b.packInitfs(ctx, job, initfs.Version(r.Initfs.Version), int64(r.Initfs.MaxSize)<<20)
		}
		return nil
	})
}

func (b *Builder) initfsAction(in graph.Outputs, r *recipe.Recipe, stage *graph.Node, bootstrap []resolved) (*action.Action, error) {
	e, _, err := b.find(in, bootstrap, r.Initfs.Bootstrap)
	if err != nil {
		return nil, err
	}
	a := action.Builtin("initfs", initfsVersion, fmt.Sprintf("layout=%d", r.Initfs.Version), fmt.Sprintf("max-size-mib=%d", r.Initfs.MaxSize))
	a.Salt = map[string]string{"target": b.o.Target, "elf-rules": elfcheck.Version}
	a.Inputs, err = b.packingInputs(in[stage], e)
	return a, err
}

// packingInputs are the staged files, their modes, and the bootstrap.
func (b *Builder) packingInputs(stage cas.Digest, bootstrap cas.Entry) (cas.Digest, error) {
	m, err := b.manifest(stage)
	if err != nil {
		return cas.Digest{}, err
	}
	packed := manifest.Manifest{}
	for _, f := range m.Files {
		packed.Files = append(packed.Files, manifest.File{Path: f.Path, Mode: f.Mode, Link: f.Link})
	}
	text, err := packed.Encode()
	if err != nil {
		return cas.Digest{}, err
	}
	stored, err := b.store.PutBytes(text)
	if err != nil {
		return cas.Digest{}, err
	}
	root, err := b.subdir(stage, "root")
	if err != nil {
		return cas.Digest{}, err
	}
	return b.store.Compose(map[string]cas.Digest{"root": root}, map[string]cas.Entry{manifest.FileName: {Digest: stored}, "bootstrap": bootstrap})
}

// describeImage puts an image that was packed together with the manifest that says where its files come from.
func (b *Builder) describeImage(packed, stage cas.Digest, bootstrap manifest.File) (cas.Digest, error) {
	image, ok, err := b.store.Lookup(packed, ImageName)
	if err != nil || !ok {
		return cas.Digest{}, errors.Join(err, errors.New("the packed image is not there"))
	}
	own, err := b.manifest(packed)
	if err != nil {
		return cas.Digest{}, err
	}
	staged, err := b.manifest(stage)
	if err != nil {
		return cas.Digest{}, err
	}
	m, described := *staged, *own.Image
	m.Files = slices.Clone(staged.Files)
	described.Bootstrap = &bootstrap
	m.Image = &described
	return b.storeImage(image.Digest, &m)
}

// bootstrapOf is an image's bootstrap, which is in no stage, and where it comes from.
func (b *Builder) bootstrapOf(in graph.Outputs, r *recipe.Recipe, bootstrap []resolved) (cas.Entry, manifest.File, error) {
	e, from, err := b.find(in, bootstrap, r.Initfs.Bootstrap)
	if err != nil {
		return e, manifest.File{}, err
	}
	rec, err := (&staging{b: b, r: r}).provenanceOf(in, from, bootstrap[0].ref, "")
	// What another recipe's manifest says besides is of its file, not of this one.
	rec.Path, rec.Mode, rec.Size, rec.SHA256 = "", "", 0, ""
	return e, rec, err
}

// packInitfs writes the image, checks every program in it and stores the image and a manifest of what was packed. The files go
// from the store into the image, through one write: it is the largest thing that a changed line costs.
func (b *Builder) packInitfs(ctx context.Context, job *graph.Job, version initfs.Version, maxSize int64) (cas.Digest, error) {
	p, err := b.openPacking(job.Action.Inputs)
	if err != nil {
		return cas.Digest{}, err
	}
	entry, err := p.checkBootstrap()
	if err != nil {
		// What is wrong with the programs is reported with it.
		return cas.Digest{}, multierror.Append(err, p.checkPrograms()).ErrorOrNil()
	}
	tree, err := p.tree()
	if err != nil {
		return cas.Digest{}, err
	}
	image, err := b.store.Create()
	if err != nil {
		return cas.Digest{}, err
	}
	defer func() { _ = image.Close() }() // committed, or dropped
	sum, err := initfs.Write(ctx, image, initfs.Spec{Version: version, Root: tree, MaxSize: maxSize,
		Bootstrap: initfs.Bootstrap{Content: storedContent{b.store, p.bootstrap}, Entry: entry}})
	if err != nil {
		return cas.Digest{}, err
	}
	// After the files were copied, which verifies them: a byte flipped in the cache is no mistake of the linker's.
	if err := p.checkPrograms(); err != nil {
		return cas.Digest{}, err
	}
	fmt.Fprintf(job.Log, "%d inodes, %d bytes\n", sum.Inodes, sum.Size)
	d, err := image.Commit()
	if err != nil {
		return cas.Digest{}, err
	}
	p.manifest.Image = &manifest.Image{Name: ImageName, Layout: int(version), Entry: entry, Size: d.Size, SHA256: d.Hash,
		BootstrapSize: p.bootstrap.Size, BootstrapSHA256: p.bootstrap.Hash}
	return b.storeImage(d, p.manifest)
}

// storeImage puts the image and the manifest that describes it together.
func (b *Builder) storeImage(image cas.Digest, m *manifest.Manifest) (cas.Digest, error) {
	text, err := m.Encode()
	if err != nil {
		return cas.Digest{}, err
	}
	stored, err := b.store.PutBytes(text)
	if err != nil {
		return cas.Digest{}, err
	}
	return b.store.Compose(nil, map[string]cas.Entry{ImageName: {Digest: image}, manifest.FileName: {Digest: stored}})
}

// packing is what goes into an image.
type packing struct {
	store     *cas.Store
	manifest  *manifest.Manifest // of the stage, as far as it says what is packed
	files     *cas.Tree          // of the stage
	bootstrap cas.Digest
	machine   elf.Machine
}

func (b *Builder) openPacking(inputs cas.Digest) (*packing, error) {
	all, err := b.store.LoadTree(inputs)
	if err != nil {
		return nil, err
	}
	text, err := b.store.ReadAll(all.Entries[manifest.FileName].Digest)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Read(text)
	if err != nil {
		return nil, err
	}
	machine, err := b.machine()
	return &packing{b.store, m, all.Sub("root"), all.Entries["bootstrap"].Digest, machine}, err
}

// checkBootstrap holds the bootstrap to its rules and returns its entry point.
func (p *packing) checkBootstrap() (uint64, error) {
	text, err := p.store.ReadAll(p.bootstrap)
	if err != nil {
		return 0, err
	}
	report := elfcheck.Check(bytes.NewReader(text), int64(len(text)), elfcheck.Bootstrap(p.machine))
	if err := report.Err(); err != nil {
		return 0, fmt.Errorf("bootstrap: %w", err)
	}
	return report.Entry, nil
}

// checkPrograms holds every ELF file to the rules. All findings of all files come back at once.
func (p *packing) checkPrograms() error {
	var all *multierror.Error
	for _, f := range p.manifest.Files {
		if f.Link != "" {
			continue
		}
		name, err := p.store.Path(p.files.Entries[f.Path].Digest)
		if err != nil {
			return err
		}
		if err := checkProgram(name, p.machine); err != nil {
			all = multierror.Append(all, fmt.Errorf("%s: %w", f.Path, err))
		}
	}
	return all.ErrorOrNil()
}

func checkProgram(name string, machine elf.Machine) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return elfcheck.CheckProgram(f, info.Size(), machine)
}

// storedContent is content in the store. It is verified while it is copied.
type storedContent struct {
	store  *cas.Store
	digest cas.Digest
}

func (s storedContent) Size() int64 { return s.digest.Size }

func (s storedContent) Open() (io.ReadCloser, error) {
	path, err := s.store.Path(s.digest)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

func (s storedContent) CopyTo(ctx context.Context, w io.Writer) error {
	return s.store.CopyTo(ctx, s.digest, w)
}

// tree makes the image's tree from the manifest: it has the modes.
func (p *packing) tree() (*initfs.Node, error) {
	top := &initfs.Node{Kind: initfs.Dir, Perm: 0o755}
	dirs := map[string]*initfs.Node{"": top}
	var dirOf func(p string) *initfs.Node
	dirOf = func(p string) *initfs.Node {
		if p == "." {
			p = ""
		}
		if d := dirs[p]; d != nil {
			return d
		}
		d := &initfs.Node{Name: path.Base(p), Kind: initfs.Dir, Perm: 0o755}
		parent := dirOf(path.Dir(p))
		parent.Children = append(parent.Children, d)
		dirs[p] = d
		return d
	}
	for _, f := range p.manifest.Files {
		perm, err := f.Perm()
		if err != nil {
			return nil, err
		}
		n := &initfs.Node{Name: path.Base(f.Path), Perm: uint16(perm)}
		if f.Link != "" {
			n.Kind, n.Target = initfs.Link, f.Link
		} else {
			e, ok := p.files.Entries[f.Path]
			if !ok || e.Dir || e.Link != "" {
				return nil, fmt.Errorf("the manifest names %s, and there is no such file in the stage", f.Path)
			}
			n.Content = storedContent{p.store, e.Digest}
		}
		parent := dirOf(path.Dir(f.Path))
		parent.Children = append(parent.Children, n)
	}
	return top, nil
}

// Kernel is the node that makes the kernel a recipe's image is booted by, and the kernel's path in its output.
func (b *Builder) Kernel(name string) (*graph.Node, string, error) {
	r, err := b.recipe(name)
	if err != nil {
		return nil, "", err
	}
	if r.Boot == nil {
		return nil, "", fmt.Errorf("recipe %s has no [boot] table, so there is no kernel to boot it with", name)
	}
	places, err := b.resolve(r, r.Boot.Kernel)
	if err != nil {
		return nil, "", err
	}
	return places[0].node, places[0].path, nil
}
