package pkg

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// staged is the tree of a recipe as it is packed.
type staged struct {
	name    string
	dir     string
	version string
	source  pkgrepo.Source
}

// stagedTrees builds recipes and lays their trees out, with the modes that the recipes say, in a folder that clean removes.
// With -dryrun it prints the plan and returns nil.
func stagedTrees(ctx context.Context, s *session.Session, names []string) (list []staged, clean func(), err error) {
	recipes, err := packable(s, names)
	if err != nil {
		return nil, nil, err
	}
	built, err := s.Build(ctx, session.BuildOptions{FallBack: allDemo(recipes)}, func(b *builder.Builder) ([]*graph.Node, error) {
		var nodes []*graph.Node
		for _, name := range names {
			n, err := b.Stage(name)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
		return nodes, nil
	})
	if err != nil || built == nil {
		return nil, nil, err
	}
	dir, clean, err := scratch(s, "staged")
	if err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		one, err := layOutPackage(ctx, s, built.Output(i), name, filepath.Join(dir, name))
		if err != nil {
			clean()
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, *one)
	}
	return list, clean, nil
}

// scratch makes a folder for this process in out/, and removes those of killed ones.
func scratch(s *session.Session, what string) (dir string, clean func(), err error) {
	return s.Scratch("pkg", fmt.Sprintf(".%s-%d", what, os.Getpid()))
}

// packable finds recipes, and refuses what has no tree, or one for another machine.
func packable(s *session.Session, names []string) ([]*recipe.Recipe, error) {
	var all *multierror.Error
	recipes := make([]*recipe.Recipe, len(names))
	for i, name := range names {
		r, err := s.Recipe(name)
		recipes[i] = r
		switch {
		case err != nil:
			all = multierror.Append(all, err)
		case len(r.Files) == 0:
			all = multierror.Append(all, fmt.Errorf("%s stages no files, so there is nothing to pack", r.Path))
		case forHost(r):
			all = multierror.Append(all, fmt.Errorf("%s makes programs for this machine, not for %s", r.Path, s.Config.Target))
		}
	}
	return recipes, errs.One(all)
}

// forHost reports whether a recipe has steps for the building machine only.
func forHost(r *recipe.Recipe) bool {
	for i := range r.Steps {
		if r.Steps[i].Target != recipe.TargetHost {
			return false
		}
	}
	return len(r.Steps) > 0
}

func allDemo(recipes []*recipe.Recipe) bool {
	return !slices.ContainsFunc(recipes, func(r *recipe.Recipe) bool { return !session.IsDemo(r) })
}

// layOutPackage writes a staged tree to dir. The store keeps of a mode whether a file is executable; the manifest has all of it.
func layOutPackage(ctx context.Context, s *session.Session, stage cas.Digest, name, dir string) (*staged, error) {
	if err := s.Export(ctx, stage, dir); err != nil {
		return nil, err
	}
	m, err := manifest.ReadIn(dir)
	if err != nil {
		return nil, err
	}
	root, overridden := filepath.Join(dir, "root"), false
	for _, f := range m.Files {
		overridden = overridden || f.Overridden
		if f.Link != "" {
			continue
		}
		if err := chmod(filepath.Join(root, filepath.FromSlash(f.Path)), f.Mode); err != nil {
			return nil, err
		}
	}
	tree, ok, err := s.Store.Lookup(stage, "root")
	if err == nil && !ok {
		err = errors.New("the staged tree is empty")
	}
	if err != nil {
		return nil, err
	}
	return describePackage(s, name, root, tree.Digest, overridden)
}

// describePackage names the package's version and source.
func describePackage(s *session.Session, name, root string, tree cas.Digest, overridden bool) (*staged, error) {
	r, err := s.Recipe(name)
	if err != nil {
		return nil, err
	}
	origin := r
	for origin.Source.SameAs != "" {
		if origin, err = s.Recipe(origin.Source.SameAs); err != nil {
			return nil, err
		}
	}
	one := &staged{name: name, dir: root}
	one.version, one.source.SourceIdentifier = versionOf(origin.Source, tree, overridden)
	one.source.PatchIdentifier, err = patchIdentifier(s, r.Patches)
	return one, err
}

// versionInName finds a version in the name of an archive: foo-1.2.3.tar.gz.
var versionInName = regexp.MustCompile(`[-_]v?([0-9]+(?:\.[0-9]+)+)`)

// versionOf is the version of a package and the identity of its source. A source with neither a version nor an identity of its own,
// one in this repository or one that was replaced by a folder, has that of the tree it gave.
func versionOf(src recipe.Source, tree cas.Digest, overridden bool) (version, identifier string) {
	switch {
	case overridden || src.Path != "":
		return "tree-" + tree.Short(), tree.Hash
	case src.Crate != "":
		return src.Version, src.SHA256
	case src.Git != "":
		return "git-" + src.Commit[:12], src.Commit
	}
	algorithm, sum := "sha256", src.SHA256
	if sum == "" {
		algorithm, sum = "blake3", src.Blake3
	}
	if m := versionInName.FindStringSubmatch(path.Base(src.Archive)); m != nil {
		return m[1], sum
	}
	return algorithm + "-" + sum[:12], sum
}

// patchIdentifier is a hash of what the series do, "" for none.
func patchIdentifier(s *session.Session, series []string) (string, error) {
	if len(series) == 0 {
		return "", nil
	}
	h := sha256.New()
	for _, name := range series {
		p, err := patch.Load(os.DirFS(s.Config.Patches()), name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s=%s\n", name, p.Digest())
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// chmod sets octal permission bits, setuid and the like included.
func chmod(file, octal string) error {
	bits, err := strconv.ParseUint(octal, 8, 16)
	if err != nil {
		return fmt.Errorf("%s has mode %q", file, octal)
	}
	return os.Chmod(file, (&pkgar.Entry{Mode: uint32(bits)}).FileMode())
}

// PublishFlags say what to publish.
type PublishFlags struct {
	Key
	Recipes string // several with commas between; "" is every recipe that makes something for the target
	// Dir publishes a folder as a package, and needs Name and Version; nothing is built then.
	Dir, Name, Version string
	Depends            string // of the folder's package, several with commas between
	LZMA2              bool
}

// Publish adds packages to the signed repository in a folder, in the upstream layout; any server of static files can offer it.
func Publish(ctx context.Context, s *session.Session, dir string, f PublishFlags) error {
	if err := session.CheckArgs(dir); err != nil {
		return err
	}
	key, err := secretKey(f.Key)
	if err != nil {
		return err
	}
	if err := errors.Join(keyOutside(f.Key, f.Dir), keyOutside(f.Key, dir)); err != nil {
		return err
	}
	var list []pkgrepo.Publishing
	if f.Dir != "" {
		list, err = folderPackage(f)
	} else {
		var clean func()
		list, clean, err = recipePackages(ctx, s, f)
		if clean != nil {
			defer clean()
		}
	}
	if err != nil || list == nil {
		return err
	}
	for i := range list {
		list[i].Arch = packages.Arch(s)
		if f.LZMA2 {
			list[i].Packaging = pkgar.LZMA2
		}
	}
	defer frugal()()
	done, err := pkgrepo.Publish(ctx, dir, packages.Target(s), key, time.Now(), list)
	if err != nil {
		return packages.WithHint(fmt.Errorf("repository %s: %w", dir, err))
	}
	rows := [][]string{{"PACKAGE", "VERSION", "ARCHIVE", "FILES", "STATE"}}
	for _, p := range done.Packages {
		state := "as it was"
		if p.Changed {
			state = "published"
		}
		sayEmptyDirs(s, p.Name, p.EmptyDirs)
		rows = append(rows, []string{p.Name, p.Version, ui.Bytes(int64(p.NetworkSize)), ui.Bytes(int64(p.StorageSize)), state})
	}
	if err := ui.Table(s.Streams.Out, rows); err != nil {
		return err
	}
	s.Say("%s: repository for %s, signed by %v, id %s, index %d; clients take it with %s",
		dir, packages.Target(s), key.Public(), done.ID, done.Serial, process.Quote([]string{"-repo=" + dir}))
	if len(done.Adopted) > 0 {
		s.Say("  there was no signed index: it vouches for what was there already, too: %s", packages.JoinNames(done.Adopted))
	}
	if len(done.Unlisted) > 0 {
		s.Say("  not in the signed index, since others put them there or changed them: %s; publish them here, or remove them", packages.JoinNames(done.Unlisted))
	}
	return nil
}

func folderPackage(f PublishFlags) ([]pkgrepo.Publishing, error) {
	if f.Name == "" || f.Version == "" || f.Recipes != "" {
		return nil, fmt.Errorf("-dir=%s: a folder is published with -name=NAME and -version=VERSION, and without -recipes", f.Dir)
	}
	var depends []pkgrepo.Name
	if f.Depends != "" {
		var err error
		if depends, err = packages.ParseNames(f.Depends); err != nil {
			return nil, fmt.Errorf("-depends: %w", err)
		}
	}
	return []pkgrepo.Publishing{{Name: pkgrepo.Name(f.Name), Version: f.Version, Tree: f.Dir, Depends: depends}}, nil
}

// recipePackages builds recipes; with -dryrun there are none.
func recipePackages(ctx context.Context, s *session.Session, f PublishFlags) ([]pkgrepo.Publishing, func(), error) {
	if f.Name != "" || f.Version != "" || f.Depends != "" {
		return nil, nil, errors.New("-name, -version and -depends are for a folder: add -dir=DIR")
	}
	names := strings.FieldsFunc(f.Recipes, func(r rune) bool { return r == ',' })
	if len(names) == 0 {
		recipes, err := s.Recipes()
		if err != nil {
			return nil, nil, err
		}
		for _, name := range recipes.Names() {
			if r := recipes[name]; len(r.Files) > 0 && !forHost(r) && !session.IsDemo(r) {
				names = append(names, name)
			}
		}
	}
	trees, clean, err := stagedTrees(ctx, s, names)
	if err != nil {
		return nil, nil, err
	}
	var packages []pkgrepo.Publishing
	for _, t := range trees {
		packages = append(packages, pkgrepo.Publishing{Name: pkgrepo.Name(t.name), Version: t.version, Tree: t.dir, Source: t.source})
	}
	return packages, clean, nil
}
