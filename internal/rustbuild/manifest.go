package rustbuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// ManifestName is the file in a built toolchain that says what it was made of.
const ManifestName = "redox-clif-toolchain.toml"

// Inputs are what a toolchain is made of, as far as it shows in what comes out: machine paths, the number of jobs
// and the time are not in it.
type Inputs struct {
	// Name is the toolchain's, that of the file in toolchain/builds.
	Name string `toml:"name" json:"name"`
	// Release is what rustc -vV says.
	Release string `toml:"release" json:"release"`
	// Host is the triple of the machine that the toolchain runs on.
	Host string `toml:"host" json:"host"`
	// Source is the SHA-256 of the archive.
	Source string `toml:"source" json:"source"`
	// Stage0 is the version of the compiler and cargo that the build begins with.
	Stage0 string `toml:"stage0" json:"stage0"`
	// LLVM is the full version of the system's LLVM, or "bootstrap" where the source has it.
	LLVM string `toml:"llvm" json:"llvm"`
	// Bootstrap is the SHA-256 of the flags, bootstrap.toml without the machine's.
	Bootstrap string `toml:"bootstrap" json:"bootstrap"`
	// Patches is the SHA-256 over what the series do.
	Patches string `toml:"patches" json:"patches"`
}

// format is raised when the same inputs give another toolchain: another way to put one together.
const format = "redox-clif toolchain 1"

// Identity is the SHA-256 of the inputs, in hexadecimal.
func (in Inputs) Identity() string {
	sum := sha256.New()
	fmt.Fprintln(sum, format)
	for _, line := range in.fields() {
		fmt.Fprintf(sum, "%s %q\n", line[0], line[1])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (in Inputs) fields() [][2]string {
	return [][2]string{
		{"name", in.Name}, {"release", in.Release}, {"host", in.Host}, {"source", in.Source}, {"stage 0", in.Stage0},
		{"LLVM", in.LLVM}, {"flags", in.Bootstrap}, {"patches", in.Patches},
	}
}

// Differences names the inputs in which two toolchains differ.
func (in Inputs) Differences(other Inputs) []string {
	var names []string
	for i, field := range in.fields() {
		if field != other.fields()[i] {
			names = append(names, field[0])
		}
	}
	return names
}

// Manifest is redox-clif-toolchain.toml: what the toolchain in whose folder it lies was made of.
type Manifest struct {
	Inputs
	// Identity is the SHA-256 over the keys above.
	Identity string `toml:"identity" json:"identity"`
	// Archive is the URL that the source came from.
	Archive string `toml:"archive" json:"archive"`
	// Applied are the patches, what the backend has over the released one: "cg_clif/0001-json-targets.toml: title".
	Applied []string `toml:"applied" json:"applied"`
	// LLVMFrom says where its LLVM comes from.
	LLVMFrom LLVMOrigin `toml:"llvm-from" json:"llvm-from"`
	// Tools are links in the folder of rust-lld, to this machine's LLVM if that was used; they are not packed.
	Tools []string `toml:"tools" json:"tools"`
	// Content is the SHA-256 over the sorted lines "<sha256> <mode> <path>\n" of all that is packed, mode "x" or "-".
	Content string `toml:"content" json:"content"`
}

// LLVMOrigin says which LLVM the toolchain has, for people.
func (m *Manifest) LLVMOrigin() string {
	if m.LLVMFrom == BootstrapLLVM {
		return "rustc's own, compiled with it"
	}
	return m.LLVM + ", the system's"
}

// ReadManifest reads the manifest of a toolchain directory and checks it against itself.
func ReadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, ManifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if err := tomlfile.Decode(path, data, m); err != nil {
		return nil, err
	}
	if !validName.MatchString(m.Name) || !validSum.MatchString(m.Content) {
		return nil, fmt.Errorf("%s names no toolchain", path)
	}
	if m.Identity != m.Inputs.Identity() {
		return nil, fmt.Errorf("%s: the identity is not that of the inputs beside it", path)
	}
	return m, nil
}

func (m *Manifest) write(dir string) error {
	var text bytes.Buffer
	text.WriteString("# What this toolchain was made of. Written by `mage toolchain:build`.\n")
	if err := toml.NewEncoder(&text).Encode(m); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ManifestName), text.Bytes(), 0o644)
}

// ContentDigest is the SHA-256 over the sorted lines "<sha256> <mode> <path>\n" of all that is packed: every
// regular file but the manifest, mode "x" or "-".
func ContentDigest(dir string) (string, error) {
	files, err := packed(dir)
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, name := range files {
		if name == ManifestName {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		digest, err := cas.DigestFile(path)
		if err != nil {
			return "", err
		}
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		mode := "-"
		if info.Mode()&0o111 != 0 {
			mode = "x"
		}
		fmt.Fprintf(all, "%s %s %s\n", digest.Hash, mode, name)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// packed are the slash paths of the regular files of a toolchain, sorted. Links lead into the machine's LLVM.
func packed(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Type() == fs.ModeSymlink {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file, a folder nor a link", path)
		}
		names = append(names, filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator))))
		return nil
	})
	slices.Sort(names)
	return names, err
}

// digestOfMap is the SHA-256 of settings in a form that does not depend on the order they were written in.
func digestOfMap(settings map[string]any) (string, error) {
	text, err := toml.Marshal(settings) // keys sorted
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
