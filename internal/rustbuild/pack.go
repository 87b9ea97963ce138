package rustbuild

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/ulikunitz/xz"

	"github.com/pannous/redox-clif/internal/xzreader"
)

// A packed toolchain is a tar file, compressed by xz. All its entries are regular files below one folder, sorted by
// path, with no owner and no time; the first is the manifest. The same toolchain gives the same bytes. The tools
// of LLVM are not in it: they are links, made again on the other machine for the LLVM there.

// Pack writes a toolchain directory into a file and returns the SHA-256 of the file.
func Pack(ctx context.Context, dir, file string) (sum string, err error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return "", err
	}
	if err := checkContent(dir, m); err != nil {
		return "", err
	}
	names, err := packed(dir)
	if err != nil {
		return "", err
	}
	out, err := renameio.NewPendingFile(file, renameio.WithPermissions(0o644))
	if err != nil {
		return "", err
	}
	defer out.Cleanup()
	h := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(out, h), 1<<20)
	compressed, err := xz.NewWriter(buffered)
	if err != nil {
		return "", err
	}
	w := tar.NewWriter(compressed)
	top := filepath.Base(dir)
	if err := addFile(w, dir, top, ManifestName); err != nil {
		return "", err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if name == ManifestName {
			continue
		}
		if err := addFile(w, dir, top, name); err != nil {
			return "", err
		}
	}
	if err := errors.Join(w.Close(), compressed.Close(), buffered.Flush()); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), out.CloseAtomicallyReplace()
}

// Tampered means that the files of a toolchain are not those it was made with.
type Tampered struct{ Want, Got string }

func (e *Tampered) Error() string {
	return fmt.Sprintf("the files of the toolchain are not those it was made with (content %s, the manifest says %s)", e.Got, e.Want)
}

func checkContent(dir string, m *Manifest) error {
	content, err := ContentDigest(dir)
	if err == nil && content != m.Content {
		err = &Tampered{Want: m.Content, Got: content}
	}
	return err
}

func addFile(w *tar.Writer, dir, top, name string) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: top + "/" + name, Size: info.Size(), Mode: mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// Refused means that an entry of a packed toolchain is none that Pack writes.
type Refused struct{ Entry, Why string }

func (e *Refused) Error() string { return fmt.Sprintf("entry %q is refused: %s", e.Entry, e.Why) }

// Unpacker takes packed toolchains.
type Unpacker struct {
	Store Store
	Host  string
	// FindLLVM finds the LLVM of exactly one major version on this machine.
	FindLLVM func(ctx context.Context, major LLVMRange) (*LLVM, error)
	// Ask runs a program and returns its standard output.
	Ask func(ctx context.Context, argv ...string) (string, error)
	// Waiting is called when another run works on a toolchain of the same name.
	Waiting func()
}

// maxManifest bounds the first entry, and maxEntry each of the others.
const (
	maxManifest = 1 << 20
	maxEntry    = 4 << 30
)

// Unpack checks and unpacks a file and returns the toolchain's directory and manifest. sha256 is what the file must have;
// "" leaves that to the manifest within, which finds damage but no forgery. Nothing is visible before all of it is checked.
func (u *Unpacker) Unpack(ctx context.Context, file, sha256 string) (string, *Manifest, error) {
	if sha256 != "" {
		if err := checkFile(file, sha256); err != nil {
			return "", nil, err
		}
	}
	in, err := os.Open(file)
	if err != nil {
		return "", nil, err
	}
	defer in.Close()
	plain, err := xzreader.New(bufio.NewReaderSize(in, 1<<20))
	if err != nil {
		return "", nil, fmt.Errorf("%s is no packed toolchain: %w", file, err)
	}
	r := tar.NewReader(plain)
	m, top, err := u.manifest(r)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", file, err)
	}
	var l *LLVM
	if m.LLVMFrom != BootstrapLLVM {
		if l, err = u.FindLLVM(ctx, LLVMRange{Oldest: major(m.LLVM), Newest: major(m.LLVM)}); err != nil {
			return "", nil, fmt.Errorf("%s was built with LLVM %s: %w", m.Name, m.LLVM, err)
		}
	}
	lock, err := u.Store.Lock(ctx, m.Name, u.Waiting)
	if err != nil {
		return "", nil, err
	}
	defer lock.Release()
	partial, err := u.Store.partial(m.Name)
	if err != nil {
		return "", nil, err
	}
	err = extract(ctx, r, top, partial)
	if err == nil {
		err = finish(ctx, partial, m, l, u.Ask)
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("%s: %w", file, err), removeAll(partial))
	}
	dir, err := u.Store.publish(partial, m)
	return dir, m, err
}

func checkFile(file, want string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s has the wrong digest: expected %s, found %s", file, want, got)
	}
	return nil
}

func major(version string) int {
	n := 0
	_, _ = fmt.Sscan(strings.ReplaceAll(version, ".", " "), &n) // 0 finds no LLVM
	return n
}

// manifest reads the first entry.
func (u *Unpacker) manifest(r *tar.Reader) (*Manifest, string, error) {
	h, err := r.Next()
	if err != nil {
		return nil, "", err
	}
	top, ok := strings.CutSuffix(h.Name, "/"+ManifestName)
	if !ok || !filepath.IsLocal(top) || strings.ContainsAny(top, `/\`) || h.Size > maxManifest {
		return nil, "", &Refused{h.Name, "a packed toolchain begins with its " + ManifestName}
	}
	dir, err := os.MkdirTemp("", "redox-clif-manifest-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	if err := writeFile(filepath.Join(dir, ManifestName), false, r); err != nil {
		return nil, "", err
	}
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, "", err
	}
	if m.Host != u.Host {
		return nil, "", fmt.Errorf("the toolchain is for %s, and this is %s", m.Host, u.Host)
	}
	return m, top, nil
}

// extract writes the other entries below a folder.
func extract(ctx context.Context, r *tar.Reader, top, to string) error {
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		name, below := strings.CutPrefix(h.Name, top+"/")
		switch {
		case h.Typeflag != tar.TypeReg:
			return &Refused{h.Name, "it is no regular file"}
		case !below || !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00") || filepath.ToSlash(filepath.Clean(name)) != name:
			return &Refused{h.Name, "it leaves the folder"}
		case h.Size > maxEntry:
			return &Refused{h.Name, "it is too large"}
		}
		// There are no links below to: what is in the archive is files only, and each is new.
		if err := writeFile(filepath.Join(to, filepath.FromSlash(name)), h.Mode&0o111 != 0, r); err != nil {
			return err
		}
	}
}
