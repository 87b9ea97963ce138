package pkg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Key is where a key comes from.
type Key struct {
	// Key is a key file, a folder that has one under its usual name, or for public keys also 64 hex digits.
	Key string
	// In is where a passphrase is read from: a terminal, without echo, or the first line of anything else.
	In *os.File
}

// Ls lists an archive: mode, stored bytes, path. With a key the signature is checked first.
func Ls(ctx context.Context, s *session.Session, file, key string) error {
	if err := session.CheckArgs(file); err != nil {
		return err
	}
	a, err := openArchive(file, key, key == "")
	if err != nil {
		return err
	}
	defer a.Close()
	signed := "not verified, names key " + a.PublicKey.String()
	if a.Verified() {
		signed = "signed by " + a.PublicKey.String()
	}
	fmt.Fprintf(s.Streams.Out, "pkgar %v %v, %d entries, %s, %s\n", a.Arch, a.Packaging, len(a.Entries), ui.Bytes(a.FileSize()), signed)
	for i := range a.Entries {
		e := &a.Entries[i]
		target := ""
		if e.IsLink() {
			to, err := a.LinkTarget(ctx, i)
			if err != nil {
				return packages.WithHint(fmt.Errorf("%s: %w", file, err))
			}
			target = " -> " + ui.Printable(to)
		}
		fmt.Fprintf(s.Streams.Out, "%04o %10d %s%s\n", e.Mode&0o7777, e.Size, ui.Printable(e.Path), target)
	}
	return nil
}

// Verify checks an archive's signature and all of its data.
func Verify(ctx context.Context, s *session.Session, file, key string) error {
	if err := session.CheckArgs(file); err != nil {
		return err
	}
	a, err := openArchive(file, key, false)
	if err != nil {
		return err
	}
	defer a.Close()
	size, err := a.Verify(ctx)
	if err != nil {
		return packages.WithHint(fmt.Errorf("%s: %w", file, errs.One(err)))
	}
	s.Say("%s: sound; %d entries, %s, signed by %v", file, len(a.Entries), ui.Bytes(size), a.PublicKey)
	return nil
}

// Extract unpacks an archive into a folder, all of it or nothing. Without a key only insecure helps, and then the
// folder has to be new or empty.
func Extract(ctx context.Context, s *session.Session, file, dir, key string, insecure bool) error {
	if err := session.CheckArgs(file, dir); err != nil {
		return err
	}
	if key != "" && insecure {
		return errors.New("-key checks the signature and -insecure does not: give one of them")
	}
	a, err := openArchive(file, key, insecure)
	if err != nil {
		if errors.Is(err, pkgar.ErrNoKey) {
			err = fmt.Errorf("%w, or -insecure to unpack it unverified into a new folder", err)
		}
		return err
	}
	defer a.Close()
	// The archive is still there, so the folder can be made again after a crash of the machine.
	r, err := a.Extract(ctx, dir, pkgar.ExtractOptions{NoSync: true})
	if err != nil {
		return packages.WithHint(fmt.Errorf("%s: nothing was extracted to %s: %w", file, dir, errs.One(err)))
	}
	s.Say("%s: %d files, %d links, %s in %s", file, r.Files, r.Links, ui.Bytes(r.Bytes), dir)
	if len(r.Replaced) > 0 {
		s.Say("  replaced: %s", ui.SomeOf(r.Replaced))
	}
	return nil
}

// CreateFlags say what to pack.
type CreateFlags struct {
	Key
	Dir   string // pack this folder and build nothing
	Out   string // "" is out/<target>/pkg/<name>.pkgar
	LZMA2 bool
}

// Create packs the staged tree of a recipe, or any folder, as a signed archive.
func Create(ctx context.Context, s *session.Session, name string, f CreateFlags) error {
	if err := session.CheckArgs(name); err != nil {
		return err
	}
	if f.Out == "" && name != filepath.Base(name) {
		return fmt.Errorf("package %q: the name has a slash; -out=FILE says where the archive goes", name)
	}
	key, err := secretKey(f.Key)
	if err != nil {
		return err
	}
	if err := keyOutside(f.Key, f.Dir); err != nil {
		return err
	}
	tree := f.Dir
	if tree == "" {
		staged, clean, err := stagedTrees(ctx, s, []string{name})
		if err != nil || staged == nil {
			return err
		}
		defer clean()
		tree = staged[0].dir
	}
	out := f.Out
	if out == "" {
		out = filepath.Join(outDir(s), name+".pkgar")
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	opt := pkgar.CreateOptions{Key: key, Arch: packages.Arch(s), NoSync: true}
	if f.LZMA2 {
		opt.Packaging = pkgar.LZMA2
		defer frugal()()
	}
	r, err := pkgar.CreateFile(ctx, out, tree, opt)
	if err != nil {
		return fmt.Errorf("%s: nothing was written: %w", s.Relative(out), errs.One(err))
	}
	sayEmptyDirs(s, name, r.EmptyDirs)
	s.Say("%s: %d entries, %s of files in %s, signed by %v", s.Relative(out), len(r.Head.Entries), ui.Bytes(r.Bytes), ui.Bytes(r.Head.FileSize()), key.Public())
	return nil
}

// frugal keeps garbage short while archives are packed: an encoder for each processor is most of the 64 MB that this may take.
func frugal() (done func()) {
	debug.FreeOSMemory() // the recipes that were read
	old := debug.SetGCPercent(20)
	return func() { debug.SetGCPercent(old) }
}

func sayEmptyDirs(s *session.Session, name string, dirs []string) {
	if len(dirs) > 0 {
		s.Say("%s: empty folders are not in the package, the format cannot hold them: %s", name, ui.SomeOf(dirs))
	}
}

// outDir is the folder of packages made here.
func outDir(s *session.Session) string { return filepath.Join(s.Config.Out(), "pkg") }

// openArchive opens a file with the key that the user named.
func openArchive(file, key string, insecure bool) (*pkgar.Archive, error) {
	opt := pkgar.Options{Insecure: insecure}
	if key != "" {
		public, err := publicKey(key)
		if err != nil {
			return nil, err
		}
		opt.Key = &public
	}
	a, err := pkgar.OpenFile(file, opt)
	if err != nil {
		return nil, packages.WithHint(nameFile(file, err))
	}
	return a, nil
}

// nameFile puts the file in front of an error that does not name it yet.
func nameFile(file string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) && path.Path == file {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}
