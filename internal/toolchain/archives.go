package toolchain

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/download"
	"github.com/pannous/redox-clif/internal/xzreader"
)

// Hosts are the hosts of which the lock is to say what the pinned channel is.
func Hosts() []string {
	return []string{"aarch64-apple-darwin", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "x86_64-unknown-linux-gnu"}
}

// HostLocked is what became of a host whose toolchain was not installed but read from rustup's archives.
type HostLocked struct {
	Host string `json:"host"`
	// Missing are components that the server does not offer for the host, which is not locked then.
	Missing []string `json:"missing,omitempty"`
}

// LockHosts writes into the lock at lockPath what the pinned channel is on other hosts than this machine's: the archives that rustup would
// install from are unpacked in a folder below scratch and hashed as an installed toolchain is. What rustc says of itself is taken from the
// host that is locked already, which has to be of the same commit.
func (d Dist) LockHosts(ctx context.Context, pin *Pin, lockPath, scratch string) ([]HostLocked, error) {
	lock, err := LoadLock(lockPath)
	if err != nil {
		return nil, err
	}
	said, known := lock.Host[d.Host]
	if !known || lock.Channel != pin.Toolchain.Channel {
		return nil, fmt.Errorf("%s of %s is not locked, whose words the other hosts take: mage toolchain:lock", pin.Toolchain.Channel, d.Host)
	}
	m, server, err := d.manifest(ctx, pin.Toolchain.Channel)
	if err != nil {
		return nil, err
	}
	if commit := m.Pkg["rustc"].Commit; commit != said.Commit {
		return nil, fmt.Errorf("%s has rustc of commit %s, and %s is locked for %s", server, commit, said.Commit, d.Host)
	}
	var done []HostLocked
	for _, host := range Hosts() {
		if host == d.Host {
			continue
		}
		missing := m.missing(host, slices.Concat(minimal, pin.Toolchain.Components))
		if done = append(done, HostLocked{host, missing}); len(missing) > 0 {
			continue
		}
		identity, err := m.identify(ctx, server, host, pin, scratch)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", host, err)
		}
		verified := said
		// What it can do is measured where it runs.
		verified.Files, verified.Probed = identity.Files, nil
		lock.Host[host] = verified
	}
	return done, lock.Write(lockPath)
}

// identify unpacks the archives for a host and hashes what is in them.
func (m *channelManifest) identify(ctx context.Context, server, host string, pin *Pin, scratch string) (*Identity, error) {
	dir, err := os.MkdirTemp(scratch, "host-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays goes with the scratch folder
	unpacked := filepath.Join(dir, "toolchain")
	for _, component := range slices.Concat(minimal, pin.Toolchain.Components) {
		a := m.archive(component, host)
		part := filepath.Join(dir, "archive")
		// A mirror has the paths of the original, whose manifest it serves.
		from := strings.Replace(a.URL, distServer, server, 1)
		if err := (&download.Client{}).Get(ctx, download.File{From: []string{from}, Part: part, Check: hasDigest(a.Hash)}); err != nil {
			return nil, err
		}
		if err := unpackComponent(ctx, part, unpacked); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		if err := os.Remove(part); err != nil {
			return nil, err
		}
	}
	t, err := Open(unpacked)
	if err != nil {
		return nil, err
	}
	if t.Host != host {
		return nil, fmt.Errorf("the archives hold a toolchain of %s", t.Host)
	}
	found, err := t.list()
	if err != nil {
		return nil, err
	}
	return hashAll(ctx, found.files)
}

// hasDigest checks a download by its SHA-256, in hexadecimal.
func hasDigest(want string) download.Check {
	return func(r io.Reader) error {
		sum := sha256.New()
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			return fmt.Errorf("its SHA-256 is %s, the manifest says %s", got, want)
		}
		return nil
	}
}

// unpackComponent adds a component's files to a toolchain directory. An archive of rust-installer has a folder of its own name and in it
// one for each component, whose files are as they are installed, with manifest.in beside them.
func unpackComponent(ctx context.Context, archive, dir string) (err error) {
	in, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	plain, err := xzreader.New(bufio.NewReader(in))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for files := tar.NewReader(plain); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackFile(root, h, files); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func unpackFile(root *os.Root, h *tar.Header, content io.Reader) (err error) {
	parts := strings.SplitN(path.Clean(h.Name), "/", 3)
	switch {
	case len(parts) < 3 || parts[2] == "manifest.in" || h.Typeflag == tar.TypeDir:
		return nil
	case h.Typeflag != tar.TypeReg:
		return errors.New("a component has files alone")
	}
	name := filepath.FromSlash(parts[2])
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fs.FileMode(h.Mode&0o777))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, content)
	return err
}
