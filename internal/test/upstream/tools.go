package upstream

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/lockfile"
)

//go:embed tools.toml client
var content embed.FS

// Client is the name of the program around the library of the system's own package manager.
const Client = "pkg-client"

// longest is what building all tools may take.
const longest = 15 * time.Minute

// tool is a program of the crate registry.
type tool struct {
	Name     string   `toml:"name"`
	Crate    string   `toml:"crate"`
	Version  string   `toml:"version"`
	Features []string `toml:"features"`
	Bin      string   `toml:"bin"`
}

// Path is where a tool lies; it is built if it is not there. Without REDOX_TEST_E2E=1 the test is skipped.
func Path(t testing.TB, name string) string {
	t.Helper()
	wants.E2E.On(t)
	dir, err := folder()
	if err == nil {
		err = build(t, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "bin", name)
}

// folder is named by what is built in it.
func folder() (string, error) {
	cache := wants.Cache.Given()
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(dir, "redox-clif-test")
	}
	h := sha256.New()
	err := fs.WalkDir(content, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := content.ReadFile(p)
		fmt.Fprintf(h, "%s %d\n%s", p, len(data), data)
		return err
	})
	return filepath.Join(cache, "upstream", fmt.Sprintf("%.12x", h.Sum(nil))), err
}

// build makes all tools that are not there. The tests of several packages run at once and wait for each other here.
func build(t testing.TB, dir string) error {
	var pins struct {
		Tool []tool `toml:"tool"`
	}
	if _, err := toml.DecodeFS(content, "tools.toml", &pins); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	lock, err := lockfile.Wait(ctx, dir+".lock", func() {})
	if err != nil {
		return err
	}
	defer lock.Release()
	b := &builder{ctx: ctx, dir: dir, objects: filepath.Join(dir, "objects")}
	for _, p := range pins.Tool {
		args := []string{p.Crate, "--version", "=" + p.Version}
		if len(p.Features) > 0 {
			args = append(args, "--features", strings.Join(p.Features, ","))
		}
		if err := b.install(p.Name, p.Bin, args); err != nil {
			return err
		}
	}
	source := filepath.Join(dir, "source")
	if err := errors.Join(os.RemoveAll(source), os.CopyFS(source, content)); err != nil {
		return err
	}
	if err := b.install(Client, Client, []string{"--path", filepath.Join(source, "client")}); err != nil {
		return err
	}
	return os.RemoveAll(b.objects)
}

type builder struct {
	ctx          context.Context
	dir, objects string
}

// install runs cargo install into a folder of its own and then gives the program its name.
func (b *builder) install(name, bin string, args []string) error {
	to := filepath.Join(b.dir, "bin", name)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	root := filepath.Join(b.dir, "install-"+name)
	cmd := exec.CommandContext(b.ctx, "cargo", append([]string{"install", "--quiet", "--locked", "--debug", "--force", "--root", root}, args...)...)
	// Some optimisation: without it a passphrase takes half a minute.
	cmd.Env = append(os.Environ(), "CARGO_TARGET_DIR="+b.objects, "CARGO_PROFILE_DEV_OPT_LEVEL=1", "CARGO_PROFILE_DEV_DEBUG=0", "CARGO_INCREMENTAL=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(root, "bin", bin), to); err != nil {
		return err
	}
	return os.RemoveAll(root)
}
