package build

import (
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/recipe"
)

const initfsVersion = 3

// ImageName is the name of an image in the output of its node.
const ImageName = "initfs.img"

// ErrNoImage says that a recipe makes no image.
var ErrNoImage = errors.New("the recipe has no [initfs] table, so it makes no image")

// Initfs is the node of a recipe's initfs image. Its output has initfs.img and manifest.json.
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
	return b.once(name+"/initfs", func(n *graph.Node) error {
		var boot *FileRecord // set by Plan, which always comes before Run
		n.Deps = uniqueNodes(append([]*graph.Node{stage}, nodesOf(bootstrap)...))
		n.Memory = 64 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			e, from, err := b.find(in, bootstrap, r.Initfs.Bootstrap)
			if err != nil {
				return nil, err
			}
			// Not in its content, and in the manifest.
			made := b.originOf(in, from, r, bootstrap[0].ref)
			origin, err := json.Marshal(made)
			if err != nil {
				return nil, err
			}
			boot = &made
			a := builtin("initfs", initfsVersion, fmt.Sprintf("layout=%d", r.Initfs.Version), fmt.Sprintf("max-size-mib=%d", r.Initfs.MaxSize), "bootstrap="+string(origin))
			a.Platform = map[string]string{"target": b.Target, "elf-rules": checkVersion}
			a.Inputs, err = b.inputRoot(map[string]cas.Digest{"stage": in[stage]}, map[string]cas.Entry{"bootstrap": e})
			return a, err
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return b.packInitfs(ctx, job, initfs.Version(r.Initfs.Version), int64(r.Initfs.MaxSize)<<20, boot)
		}
		return nil
	})
}

// originOf is where a file that is in no stage comes from.
func (b *Builder) originOf(in graph.Outputs, from *graph.Node, r *recipe.Recipe, ref recipe.Ref) FileRecord {
	rec := (&stage{Builder: b, r: r}).provenanceOf(in, from, ref, "")
	// What another recipe's manifest says besides is of its file, not of this one.
	rec.Path, rec.Mode, rec.Size, rec.SHA256 = "", "", 0, ""
	return rec
}

// packInitfs checks every program, writes the image and its manifest.
func (b *Builder) packInitfs(ctx context.Context, job *graph.Job, version initfs.Version, maxSize int64, origin *FileRecord) (cas.Digest, error) {
	dir, err := b.tempDir("initfs")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := b.Store.Materialise(ctx, job.Action.Inputs, dir, nil, nil); err != nil {
		return cas.Digest{}, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "stage", "manifest.json"))
	if err != nil {
		return cas.Digest{}, err
	}
	m, err := ReadManifest(text)
	if err != nil {
		return cas.Digest{}, err
	}
	root := filepath.Join(dir, "stage", "root")
	entry, err := b.checkImageFiles(root, filepath.Join(dir, "bootstrap"), m)
	if err != nil {
		return cas.Digest{}, err
	}
	tree, err := initfsTree(root, m)
	if err != nil {
		return cas.Digest{}, err
	}
	boot, err := initfs.FileContent(filepath.Join(dir, "bootstrap"))
	if err != nil {
		return cas.Digest{}, err
	}
	image := filepath.Join(dir, ImageName)
	sum, err := initfs.WriteFile(ctx, image, initfs.Spec{Version: version, Root: tree, MaxSize: maxSize,
		Bootstrap: initfs.Bootstrap{Content: boot, Entry: entry}})
	if err != nil {
		return cas.Digest{}, err
	}
	fmt.Fprintf(job.Log, "%d inodes, %d bytes\n", sum.Inodes, sum.Size)
	bootstrap, err := cas.DigestFile(filepath.Join(dir, "bootstrap"))
	if err != nil {
		return cas.Digest{}, err
	}
	m.Image = &ImageRecord{Name: ImageName, Layout: int(version), Entry: entry, BootstrapSize: bootstrap.Size, BootstrapSHA256: bootstrap.Hash, Bootstrap: origin}
	return b.storeImage(ctx, image, m)
}

// storeImage stores the image and the manifest that describes it.
func (b *Builder) storeImage(ctx context.Context, image string, m *Manifest) (cas.Digest, error) {
	d, err := b.Store.PutFile(ctx, image)
	if err != nil {
		return cas.Digest{}, err
	}
	m.Image.Size, m.Image.SHA256 = d.Size, d.Hash
	text, err := m.finish()
	if err != nil {
		return cas.Digest{}, err
	}
	manifest, err := b.Store.PutBytes(text)
	if err != nil {
		return cas.Digest{}, err
	}
	return b.inputRoot(nil, map[string]cas.Entry{ImageName: {Digest: d}, "manifest.json": {Digest: manifest}})
}

// checkImageFiles holds every ELF file to the rules before anything is packed, and returns the
// bootstrap's entry point. All findings of all files come back at once.
func (b *Builder) checkImageFiles(root, bootstrap string, m *Manifest) (uint64, error) {
	machine, err := b.machine()
	if err != nil {
		return 0, err
	}
	var all *multierror.Error
	report, err := elfcheck.CheckFile(bootstrap, elfcheck.Bootstrap(machine))
	if err != nil {
		return 0, err
	}
	if err := report.Err(); err != nil {
		all = multierror.Append(all, fmt.Errorf("bootstrap: %w", err))
	}
	for _, f := range m.Files {
		file := filepath.Join(root, filepath.FromSlash(f.Path))
		if f.Link != "" || !isELF(file) {
			continue
		}
		r, err := elfcheck.CheckFile(file, elfcheck.Program(machine))
		if err != nil {
			return 0, err
		}
		if err := r.Err(); err != nil {
			all = multierror.Append(all, fmt.Errorf("%s: %w", f.Path, err))
		}
	}
	return report.Entry, all.ErrorOrNil()
}

func (b *Builder) machine() (elf.Machine, error) {
	arch, _, _ := strings.Cut(b.Target, "-")
	return elfcheck.MachineOf(arch)
}

func isELF(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == elf.ELFMAG
}

// initfsTree makes the image's tree from the manifest: it has the modes.
func initfsTree(root string, m *Manifest) (*initfs.Node, error) {
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
	for _, f := range m.Files {
		n := &initfs.Node{Name: path.Base(f.Path), Perm: uint16(parseMode(f.Mode))}
		if f.Link != "" {
			n.Kind, n.Target = initfs.Link, f.Link
		} else {
			content, err := initfs.FileContent(filepath.Join(root, filepath.FromSlash(f.Path)))
			if err != nil {
				return nil, err
			}
			n.Content = content
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
