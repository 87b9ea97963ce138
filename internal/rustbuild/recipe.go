// Package rustbuild builds a Rust toolchain with the LLVM and Cranelift backends from the released
// sources of rustc.
//
// It owns the files toolchain/builds/<name>.toml, the folder of the cache in which toolchains are built and
// kept, what identifies a built toolchain, its manifest, and the format in which one is packed for another
// machine. It must not know what is built with a toolchain, nor how rustup or a download works: stage 0 and
// the archive are given to it. It reads no environment and prints nothing.
//
// The facts about rustc's build are those of the 1.96.0 source archive: x.py, bootstrap.toml, src/stage0,
// build/<host>/stage1, vendor/*/.cargo-checksum.json.
package rustbuild

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Recipe is toolchain/builds/<name>.toml: how `mage toolchain:build` makes a rustc, and everything that does not come from the machine
// for that. The file's name is the toolchain's.
type Recipe struct {
	// Name is the file's name without .toml.
	Name string `toml:"-"`
	// Description is one line for lists.
	Description string `toml:"description"`
	// Release is what rustc -vV must say in the end: "1.96.0-nightly".
	Release string `toml:"release,required"`
	// Stage0 is the released version that the build begins with, for rustup: "1.95.0".
	Stage0 string `toml:"stage0,required"`
	// Patches are series below patches/, applied in this order to the sources of the backend.
	Patches []string `toml:"patches"`
	// Source is the archive of rustc's sources.
	Source Source `toml:"source,required"`
	// LLVM says where LLVM comes from.
	LLVM LLVMSource `toml:"llvm,required"`
	// Bootstrap has the settings of rustc's bootstrap.toml, without what depends on the machine.
	Bootstrap map[string]any `toml:"bootstrap"`
	// Needs is what a build takes of the machine, with the system's LLVM.
	Needs Needs `toml:"needs,required"`
	// Takes is how long a build takes on two processors with nothing beside, with the system's LLVM. It is for the estimate that is shown.
	Takes Takes `toml:"takes"`
}

// Source is the archive of rustc's sources.
type Source struct {
	// Archive is the URL of a tar archive.
	Archive string `toml:"archive,required"`
	// SHA256 is the digest of the archive, 64 lower-case hex digits.
	SHA256 string `toml:"sha256,required"`
	// Size is that of the archive in bytes; 0 (the default) when it is not known.
	Size int64 `toml:"size"`
	// LeaveOut has patterns (* and ? within a name) for folders that are not extracted.
	LeaveOut []string `toml:"leave-out"`
	// ManifestsOnly has patterns for folders of which only what cargo asks of every crate is extracted.
	ManifestsOnly []string `toml:"manifests-only"`
}

// Needs is what a build takes of the machine.
type Needs struct {
	// DiskMiB is for everything, from nothing.
	DiskMiB int64 `toml:"disk-mib,required"`
	// MemoryMiB is for each job.
	MemoryMiB int64 `toml:"memory-mib,required"`
}

// Takes is how long a build takes.
type Takes struct {
	// Seconds are for all of it.
	Seconds int `toml:"seconds"`
	// Backend has the seconds for a build that compiles the backend only again.
	Backend int `toml:"backend-seconds"`
}

// Folder is where the recipes are, below toolchain/.
const Folder = "builds"

var (
	validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
	validSum  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Names are the recipes in the folder builds of fsys, sorted.
func Names(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, Folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".toml"); ok && !e.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// Load reads a recipe; name may be empty when there is only one. llvm is SystemLLVM, BootstrapLLVM or "", which is what the
// recipe says. All faults are in the error.
func Load(fsys fs.FS, name string, llvm LLVMOrigin) (*Recipe, error) {
	names, err := Names(fsys)
	if err != nil {
		return nil, err
	}
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if name == "" {
		return nil, fmt.Errorf("which one? toolchain/%s has %s", Folder, strings.Join(names, ", "))
	}
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("no toolchain/%s/%s.toml: there are %s", Folder, name, strings.Join(names, ", "))
	}
	file := path.Join(Folder, name+".toml")
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	r := &Recipe{Name: name, LLVM: LLVMSource{From: SystemLLVM}}
	if err := tomlfile.Decode("toolchain/"+file, data, r); err != nil {
		return nil, err
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	if err := r.choose(llvm); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Recipe) validate() error {
	all := &multierror.Error{ErrorFormat: errs.Lines}
	fault := func(format string, args ...any) {
		all = multierror.Append(all, fmt.Errorf("toolchain/%s/%s.toml: "+format, append([]any{Folder, r.Name}, args...)...))
	}
	if !validName.MatchString(r.Name) || strings.Contains(r.Name, "..") || strings.HasSuffix(r.Name, ownLLVMSuffix) {
		fault("the file's name is no name for a toolchain")
	}
	if !validSum.MatchString(r.Source.SHA256) {
		fault("source.sha256 must be 64 lower-case hex digits")
	}
	for _, pattern := range slices.Concat(r.Source.LeaveOut, r.Source.ManifestsOnly) {
		if _, err := path.Match(pattern, ""); err != nil {
			fault("%q is no pattern: %v", pattern, err)
		}
	}
	for _, wrong := range r.LLVM.faults() {
		fault("%s", wrong)
	}
	if r.Needs.DiskMiB < 1 || r.Needs.MemoryMiB < 1 {
		fault("needs.disk-mib and needs.memory-mib must say what a build takes")
	}
	return all.ErrorOrNil()
}

// Wants tells whether an entry of the archive, without its first folder, is extracted.
func (s *Source) Wants(name string) bool {
	if under(name, s.LeaveOut) {
		return false
	}
	return slices.Contains(manifests, path.Base(name)) || !under(name, s.ManifestsOnly)
}

// manifests are what cargo wants to see of a crate that it does not compile: old manifests leave it to cargo to find
// the targets.
var manifests = []string{"Cargo.toml", checksumsFile, "lib.rs", "main.rs", "build.rs"}

// under tells whether name or a folder it is in matches one of the patterns.
func under(name string, patterns []string) bool {
	for at := name; at != "." && at != "/"; at = path.Dir(at) {
		for _, pattern := range patterns {
			if ok, _ := path.Match(pattern, at); ok { // the patterns were checked
				return true
			}
		}
	}
	return false
}

// Jobs is how many jobs fit into the memory, at most jobs; 0 when not even one does.
func (n Needs) Jobs(jobs int, memoryMiB int64) int {
	return min(jobs, int(memoryMiB/n.MemoryMiB))
}
