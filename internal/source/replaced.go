package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/BurntSushi/toml"
)

// registryFolders are where the configuration in cargo's home has the crates of the registry in place of a server: in folders with
// their files, each with a .cargo-checksum.json (directory), or as they were published (local).
func (f *Fetcher) registryFolders() (directory, local string) {
	var all struct {
		Source map[string]struct {
			ReplaceWith   string `toml:"replace-with"`
			Directory     string `toml:"directory"`
			LocalRegistry string `toml:"local-registry"`
		}
	}
	if _, err := toml.DecodeFile(filepath.Join(f.CargoHome, "config.toml"), &all); err != nil {
		return "", "" // cargo says what is wrong with it
	}
	name := "crates-io"
	for range len(all.Source) {
		next := all.Source[name].ReplaceWith
		if next == "" {
			break
		}
		name = next
	}
	return all.Source[name].Directory, all.Source[name].LocalRegistry
}

// Replaced is what stands in the registry's place. It is read once.
type Replaced struct {
	once   sync.Once
	folder map[string]string // of a crate, by the checksum of the crate
	local  string            // the folder of a local registry
}

// inPlace is what stands in the registry's place.
func (f *Fetcher) inPlace() *Replaced {
	r := f.Replaced
	if r == nil {
		r = &Replaced{}
	}
	r.once.Do(func() {
		var directory string
		directory, r.local = f.registryFolders()
		r.folder = listReplaced(directory)
	})
	return r
}

// replaced is the folder that has a crate in the registry's place; "" when there is none. As for cargo, the name of the folder says
// nothing: the checksum of the whole crate in it does.
func (f *Fetcher) replaced(c Crate) string { return f.inPlace().folder[c.SHA256] }

func listReplaced(directory string) map[string]string {
	if directory == "" {
		return nil
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil // the crates are missing then
	}
	folders := map[string]string{}
	for _, e := range entries {
		at := filepath.Join(directory, e.Name())
		if sums, err := readSums(at); err == nil {
			folders[sums.Package] = at
		}
	}
	return folders
}

// sums is .cargo-checksum.json.
type sums struct {
	Files   map[string]string `json:"files"`
	Package string            `json:"package"`
}

func readSums(dir string) (sums, error) {
	var s sums
	text, err := os.ReadFile(filepath.Join(dir, ".cargo-checksum.json"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// exportReplaced writes out the files of a crate in a folder, held to the checksums that the folder has of them.
func exportReplaced(ctx context.Context, c Crate, from string, wants func(name string) bool, dest string) error {
	known, err := readSums(from)
	if err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !e.Type().IsRegular() || name == ".cargo-checksum.json" || wants != nil && !wants(name) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(text)
		if want, ok := known.Files[name]; ok && want != hex.EncodeToString(digest[:]) {
			return fmt.Errorf("%s: %s in the folder that replaces the registry is not what its .cargo-checksum.json says", c, path)
		}
		to := filepath.Join(dest, rel)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
	})
}
