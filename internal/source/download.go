package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/globdir"
)

const (
	defaultStall = time.Minute
	attempts     = 3 // downloads that break off are continued so often in one run
)

func (f *Fetcher) archiveFile(sum string) string { return filepath.Join(f.Store, "archive", sum) }
func (f *Fetcher) crateFile(sum string) string   { return filepath.Join(f.Store, "crate", sum) }

func (f *Fetcher) fetchArchive(ctx context.Context, a Archive, from string) error {
	file := f.archiveFile(a.SHA256)
	if exists(file) {
		return nil
	}
	local, isLocal := localFile(from)
	if f.Offline && !isLocal {
		return &OfflineError{What: a.URL}
	}
	return locked(ctx, file, func() error {
		if exists(file) {
			return nil
		}
		if isLocal {
			return adopt(local, file, a.URL, a.SHA256)
		}
		return f.download(ctx, from, file, a)
	})
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func localFile(from string) (string, bool) {
	if !strings.Contains(from, "://") {
		return from, true
	}
	if u, err := url.Parse(from); err == nil && u.Scheme == "file" {
		return filepath.FromSlash(u.Path), true
	}
	return "", false
}

// download continues file.part as often as it breaks off. A wrong digest after
// a continued download may be due to another content at the server meanwhile,
// so that is tried once more from the start.
func (f *Fetcher) download(ctx context.Context, from, file string, a Archive) error {
	part := file + ".part"
	for try := 1; ; try++ {
		resumed, err := f.get(ctx, from, part)
		if err == nil {
			err = publish(part, file, a.URL, a.SHA256)
			var wrong *DigestError
			if errors.As(err, &wrong) && resumed {
				continue // the part is gone, so this happens once
			}
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if try == attempts || !errors.Is(err, io.ErrUnexpectedEOF) {
			return httpFailure(from, err)
		}
	}
}

// get appends what is missing to part.
func (f *Fetcher) get(ctx context.Context, from, part string) (resumed bool, err error) {
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	stall := f.Stall
	if stall == 0 {
		stall = defaultStall
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := &StallError{URL: from, After: stall.String()}
	timer := time.AfterFunc(stall, func() { cancel(stalled) })
	defer timer.Stop()

	body, resumed, err := f.open(ctx, from, have)
	if err == nil && body != nil {
		defer body.Close()
		if !resumed {
			have = 0
			err = errors.Join(out.Truncate(0), seek(out, 0))
		}
		if err == nil {
			_, err = io.Copy(out, &wakeful{body, func() { timer.Reset(stall) }})
		}
	}
	if errors.Is(context.Cause(ctx), stalled) {
		return resumed, stalled
	}
	if err != nil {
		return resumed, err
	}
	return resumed && have > 0, out.Sync()
}

func seek(f *os.File, to int64) error {
	_, err := f.Seek(to, io.SeekStart)
	return err
}

// open returns the body from offset have on, or from the start when the server
// does not continue. No body and no error: everything is there already.
func (f *Fetcher) open(ctx context.Context, from string, have int64) (io.ReadCloser, bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Accept-Encoding", "identity") // the digest is of the file as it is
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	client := f.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, false, err
	}
	switch {
	case resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
		return resp.Body, true, nil
	case resp.StatusCode == http.StatusOK:
		return resp.Body, false, nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0:
		return nil, true, resp.Body.Close()
	}
	resp.Body.Close()
	return nil, false, &StatusError{URL: from, Code: resp.StatusCode}
}

// wakeful reports every read that brought something.
type wakeful struct {
	io.Reader
	woke func()
}

func (w *wakeful) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.woke()
	}
	return n, err
}

// publish gives a complete, verified part its final name, or removes it.
func publish(part, file, what, want string) error {
	got, err := fileSHA256(part)
	if err != nil {
		return err
	}
	if got != want {
		return errors.Join(&DigestError{What: what, Want: want, Got: got}, os.Remove(part))
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

func fileSHA256(name string) (string, error) {
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// adopt copies a file of this machine into the store.
func adopt(from, file, what, want string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	part := file + ".part"
	out, err := os.Create(part)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return publish(part, file, what, want)
}

// fetchCrate lets cargo fetch a stub package that depends on exactly this
// version, and takes the .crate file from cargo's cache. cargo also gets the
// crate's dependencies, which a build of it needs anyhow.
func (f *Fetcher) fetchCrate(ctx context.Context, c Crate) error {
	file := f.crateFile(c.SHA256)
	if exists(file) {
		return nil
	}
	if f.Offline {
		return &OfflineError{What: c.String()}
	}
	return locked(ctx, file, func() error {
		if exists(file) {
			return nil
		}
		if cached := f.cachedCrate(c); cached != "" {
			return adopt(cached, file, c.String(), c.SHA256)
		}
		if err := f.cargoFetch(ctx, c); err != nil {
			return err
		}
		cached := f.cachedCrate(c)
		if cached == "" {
			return fmt.Errorf("cargo fetched %s but its cache in %s has no such file (is the registry replaced by a folder?): name a [source] for it in overrides.toml", c, f.CargoHome)
		}
		return adopt(cached, file, c.String(), c.SHA256)
	})
}

func (f *Fetcher) cachedCrate(c Crate) string {
	found, err := globdir.In(filepath.Join(f.CargoHome, "registry/cache"), "*/"+c.Name+"-"+c.Version+".crate")
	if err != nil {
		return ""
	}
	for _, name := range found {
		if sum, err := fileSHA256(name); err == nil && sum == c.SHA256 {
			return name
		}
	}
	if len(found) > 0 {
		return found[0] // adopt will say that its digest is wrong
	}
	return ""
}

func (f *Fetcher) cargoFetch(ctx context.Context, c Crate) error {
	dir, err := os.MkdirTemp(f.Store, "crate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	manifest := fmt.Sprintf("[package]\nname = \"stub\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[dependencies]\nstub_dep = { package = %q, version = \"=%s\" }\n[workspace]\n", c.Name, c.Version)
	err = errors.Join(os.WriteFile(filepath.Join(dir, "Cargo.toml"), []byte(manifest), 0o644), os.WriteFile(filepath.Join(dir, "lib.rs"), nil, 0o644))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, f.Cargo, "fetch", "--quiet")
	cmd.Dir = dir
	cmd.Env = append(append([]string{}, f.Env...), "CARGO_HOME="+f.CargoHome, "CARGO_TERM_COLOR=never")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return cargoFailure(c, string(out))
	}
	return err
}

func cargoFailure(c Crate, message string) error {
	err := errors.New(firstTelling(message))
	if gitHost.MatchString(message) {
		return &HostError{Host: "the crate registry", Err: err}
	}
	return fmt.Errorf("cargo fetch of %s: %w", c, err)
}
