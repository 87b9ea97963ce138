package rustbuild

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// LLVMOrigin is where the LLVM of a toolchain comes from.
type LLVMOrigin string

// The places that it can come from.
const (
	// SystemLLVM is one that is installed. The toolchain is linked with it and has links to its tools.
	SystemLLVM LLVMOrigin = "system"
	// BootstrapLLVM is compiled by rustc's bootstrap from the sources in the archive and becomes a part of the toolchain.
	BootstrapLLVM LLVMOrigin = "bootstrap"
)

// Values are both.
func (LLVMOrigin) Values() []string { return tomlfile.Values(SystemLLVM, BootstrapLLVM) }

// LLVMSource says where LLVM comes from.
type LLVMSource struct {
	// From is "system" by default; `mage toolchain:build -llvm=…` comes before it.
	From LLVMOrigin `toml:"from"`
	LLVMRange
	// LeaveOut is as [source] has it, for what is not needed with the system's LLVM.
	LeaveOut []string `toml:"leave-out"`
	// Bootstrap is what it takes to compile LLVM too.
	Bootstrap OwnLLVM `toml:"bootstrap"`
}

// LLVMRange bounds the major version of the system's LLVM.
type LLVMRange struct {
	// Oldest is the oldest major version of the system's LLVM that will do.
	Oldest int `toml:"oldest,required"`
	// Newest is the newest major version that will do.
	Newest int `toml:"newest,required"`
}

// OwnLLVM is what it takes to compile LLVM too.
type OwnLLVM struct {
	// LeaveOut is as [source] has it, for what is not needed then.
	LeaveOut []string `toml:"leave-out"`
	// DiskMiB comes on top of that of [needs].
	DiskMiB int64 `toml:"disk-mib"`
	// Seconds come on top of those of [takes].
	Seconds int `toml:"seconds"`
	// Settings are those of rustc's bootstrap.toml that take the place of [bootstrap]'s or come on top.
	Settings map[string]any `toml:"settings"`
}

func (s *LLVMSource) faults() []string {
	var faults []string
	if s.Oldest < 1 || s.Newest < s.Oldest {
		faults = append(faults, "llvm.oldest and llvm.newest must be major versions, the oldest first")
	}
	return faults
}

// OwnLLVM tells whether LLVM is compiled too.
func (r *Recipe) OwnLLVM() bool { return r.LLVM.From == BootstrapLLVM }

// ownLLVMSuffix is behind the name of the folder in which a toolchain is built together with LLVM: rustc is
// linked with one LLVM or the other, so the two ways share nothing that is compiled.
const ownLLVMSuffix = ".llvm"

func (r *Recipe) workName() string {
	if r.OwnLLVM() {
		return r.Name + ownLLVMSuffix
	}
	return r.Name
}

// choose makes the recipe one for LLVM from somewhere; "" leaves it as the file says. The flags, what is extracted,
// the disk and the estimate follow.
func (r *Recipe) choose(from LLVMOrigin) error {
	if from != "" {
		r.LLVM.From = from
	}
	switch r.LLVM.From {
	case SystemLLVM:
		r.Source.LeaveOut = slices.Concat(r.LLVM.LeaveOut, r.Source.LeaveOut)
		return nil
	case BootstrapLLVM:
	default:
		return fmt.Errorf("LLVM comes from %q or from rustc's %q, not from %q", SystemLLVM, BootstrapLLVM, from)
	}
	own := r.LLVM.Bootstrap
	if len(own.Settings) == 0 || own.DiskMiB < 1 {
		return fmt.Errorf("toolchain/%s/%s.toml does not say how to build LLVM: llvm.bootstrap needs settings and disk-mib", Folder, r.Name)
	}
	r.Source.LeaveOut = slices.Concat(own.LeaveOut, r.Source.LeaveOut)
	r.Needs.DiskMiB += own.DiskMiB
	r.Bootstrap = merge(r.Bootstrap, own.Settings)
	r.Takes.Seconds += own.Seconds
	return nil
}

// merge is settings with others over them.
func merge(settings, over map[string]any) map[string]any {
	all := maps.Clone(settings)
	for key, value := range over {
		below, ok := value.(map[string]any)
		here, both := all[key].(map[string]any)
		if ok && both {
			value = merge(here, below)
		}
		all[key] = value
	}
	return all
}
