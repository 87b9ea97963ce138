// Package targetspec turns targets/<triple>.toml into the JSON target
// specification that rustc reads.
//
// It owns the typed model of a specification, the rules by which one file
// inherits from others, and what has to be written differently for different
// compilers. It must not know where a compiler comes from or run one except
// through the Runner it is given: what a compiler wants arrives as a Compiler
// value, made by package toolchain from what it measured.
//
// The meaning of the keys is that of rustc's TargetOptions (rustc_target,
// spec/mod.rs and spec/json.rs); the values started from
// `rustc -Zunstable-options --print target-spec-json` of the built-in
// *-unknown-redox, *-unknown-none and *-unknown-uefi targets of rustc 1.94 and
// 1.96 and from the targets folder of the Redox kernel of January 2026.
package targetspec

import "github.com/pannous/redox-clif/internal/tomlfile"

// Kind is what a target is for; it decides which rules check holds it to.
type Kind string

// The kinds of target this project builds for.
const (
	User   Kind = "user"   // a Redox program: relibc, static, with CRT objects
	Kernel Kind = "kernel" // freestanding ELF without an operating system
	UEFI   Kind = "uefi"   // a PE image for the firmware
)

// Values are all kinds.
func (Kind) Values() []string { return tomlfile.Values(User, Kernel, UEFI) }

// Spec is targets/<triple>.toml, or a file in targets/base that others inherit from: a target specification for rustc, of which
// `mage target:spec -write` makes <triple>.json beside it. The keys are rustc's own but where one is said to be ours; what no file
// sets is left to rustc's default. `inherits`, `kind`, `arch`, `os`, `llvm-target`, `data-layout`, `linker-flavor` and `pointer-width`
// have to be set somewhere.
//
// A value overrides the inherited one. Features and the lists by linker flavor or by output kind are appended to the inherited ones;
// other lists replace them.
type Spec struct {
	// Triple is the target's name, which is the stem of its file; rustc takes
	// the name from the stem too. After inheritance a nil field was set by no file.
	Triple string `toml:"-"`

	// Inherits are files without .toml, relative to targets/, applied in this order before the file itself: "base/aarch64". Ours.
	Inherits []string `toml:"inherits"`
	// Kind is what the target is for. Ours.
	Kind Kind `toml:"kind"`
	// Description is one line for lists; it goes to metadata.description.
	Description string `toml:"description"`

	// Arch is the architecture: "aarch64".
	Arch *string `toml:"arch"`
	// OS is the operating system: "redox".
	OS *string `toml:"os"`
	// Env is the environment, which is the C library: "relibc".
	Env *string `toml:"env"`
	// Vendor is the vendor: "unknown".
	Vendor *string `toml:"vendor"`
	// LLVMTarget is LLVM's name of the target, which Cranelift reads too: "aarch64-unknown-redox".
	LLVMTarget *string `toml:"llvm-target"`
	// CPU is the processor that code is generated for: "x86-64".
	CPU *string `toml:"cpu"`
	// DataLayout is LLVM's string for sizes and alignments.
	DataLayout *string `toml:"data-layout"`
	// PointerWidth is that of a pointer in bits; it becomes target-pointer-width.
	PointerWidth *int `toml:"pointer-width"`
	// Families are what cfg(target_family) is: ["unix"]. They replace the inherited ones.
	Families []string `toml:"target-family"`

	// Features are target features with their sign: "+neon", "-neon". A later mention of a feature replaces an earlier one.
	Features []string `toml:"features"`
	// SoftFloat says that floats travel in integer registers. What that is called in the JSON depends on architecture and compiler. Ours.
	SoftFloat *bool `toml:"soft-float"`

	// RelocationModel is how addresses get into code: "static".
	RelocationModel *string `toml:"relocation-model"`
	// CodeModel is how far code may be from what it names: "kernel".
	CodeModel *string `toml:"code-model"`
	// PanicStrategy is what a panic does: "abort".
	PanicStrategy *string `toml:"panic-strategy"`
	// FramePointer says in which functions one is kept: "always".
	FramePointer *string `toml:"frame-pointer"`
	// StackProbes is how a function touches the pages of a large frame: "inline", "call" or "none". It becomes the kind of rustc's table.
	StackProbes *string `toml:"stack-probes"`
	// DisableRedzone keeps code from using memory below the stack pointer, which interrupts overwrite.
	DisableRedzone *bool `toml:"disable-redzone"`
	// DefaultUwtable says whether unwind tables are made where nothing asks for them.
	DefaultUwtable *bool `toml:"default-uwtable"`
	// HasThreadLocal says that there is thread-local storage, for #[thread_local].
	HasThreadLocal *bool `toml:"has-thread-local"`
	// MaxAtomicWidth is that of the largest atomic operation in bits.
	MaxAtomicWidth *int `toml:"max-atomic-width"`
	// PLTByDefault says whether functions of other objects are called through a table.
	PLTByDefault *bool `toml:"plt-by-default"`
	// SingleThread says that there are no threads, so that atomic operations become plain ones.
	SingleThread *bool `toml:"singlethread"`
	// EntryName is the symbol that rustc gives to main: "efi_main".
	EntryName *string `toml:"entry-name"`
	// EntryABI is the calling convention of that symbol: "win64".
	EntryABI *string `toml:"entry-abi"`
	// StructAsInt says that a structure that fits a register is returned as an integer.
	StructAsInt *bool `toml:"abi-return-struct-as-int"`
	// DebugGDBScripts says whether programs name scripts for gdb.
	DebugGDBScripts *bool `toml:"emit-debug-gdb-scripts"`
	// DebuginfoKind is the format of debug information: "pdb".
	DebuginfoKind *string `toml:"debuginfo-kind"`
	// SplitDebuginfo is where debug information goes: "packed".
	SplitDebuginfo *string `toml:"split-debuginfo"`

	// Linker is the program that links: "rust-lld".
	Linker *string `toml:"linker"`
	// LinkerFlavor is how its command line is written: "gnu-lld".
	LinkerFlavor *string `toml:"linker-flavor"`
	// Executables says that programs can be linked.
	Executables *bool `toml:"executables"`
	// DynamicLinking says that there are shared libraries.
	DynamicLinking *bool `toml:"dynamic-linking"`
	// CRTStaticDefault says that the C library is linked statically unless asked otherwise.
	CRTStaticDefault *bool `toml:"crt-static-default"`
	// CRTStaticRespected says that -Ctarget-feature=-crt-static can ask otherwise.
	CRTStaticRespected *bool `toml:"crt-static-respected"`
	// CRTFallback says when rustc adds CRT objects of its own: "false" is never.
	CRTFallback *string `toml:"crt-objects-fallback"`
	// PIE says that programs are position-independent.
	PIE *bool `toml:"position-independent-executables"`
	// StaticPIE says that static programs are position-independent.
	StaticPIE *bool `toml:"static-position-independent-executables"`
	// RelroLevel is what becomes read-only after relocation: "off", "partial" or "full".
	RelroLevel *string `toml:"relro-level"`
	// EHFrameHeader says that the linker makes an index of the unwind tables.
	EHFrameHeader *bool `toml:"eh-frame-header"`
	// HasRpath says that the linker takes -rpath.
	HasRpath *bool `toml:"has-rpath"`
	// NoDefaultLibraries keeps the linker from adding libraries of its own.
	NoDefaultLibraries *bool `toml:"no-default-libraries"`
	// PreLinkArgs are arguments before the objects, by linker flavor.
	PreLinkArgs map[string][]string `toml:"pre-link-args"`
	// LateLinkArgs are arguments after the objects, by linker flavor.
	LateLinkArgs map[string][]string `toml:"late-link-args"`
	// PreLinkObjects are object files before all else, by output kind ("static-nopic-exe"). Bare names are looked up along -L.
	PreLinkObjects map[string][]string `toml:"pre-link-objects"`
	// PostLinkObjects are object files after all else, by output kind.
	PostLinkObjects map[string][]string `toml:"post-link-objects"`

	// ExeSuffix ends the names of programs: ".efi".
	ExeSuffix *string `toml:"exe-suffix"`
	// ArchiveFormat is that of static libraries: "coff".
	ArchiveFormat *string `toml:"archive-format"`
	// BinaryFormat is that of object files: "coff".
	BinaryFormat *string `toml:"binary-format"`
	// LikeWindows says that names of libraries and the like are as on Windows.
	LikeWindows *bool `toml:"is-like-windows"`
	// LikeMSVC says that linking and debug information are as with Microsoft's tools.
	LikeMSVC *bool `toml:"is-like-msvc"`
	// DLLTLSExport says that thread-local variables can be exported from shared libraries.
	DLLTLSExport *bool `toml:"dll-tls-export"`
	// WeakLinkage says that there are weak symbols.
	WeakLinkage *bool `toml:"allows-weak-linkage"`
	// SplitDebugKinds are the values that -Csplit-debuginfo can have; they replace the inherited ones.
	SplitDebugKinds []string `toml:"supported-split-debuginfo"`
}

// Compiler is what a specification has to know of the compiler it is for.
// Package toolchain measures it.
type Compiler struct {
	Release string // "1.94.0-nightly", for messages only

	// PointerWidthString: target-pointer-width must be a JSON string, as it
	// was before 2025-10.
	PointerWidthString bool
	// SoftFloatABI is the value of "rustc-abi" with which a soft-float target
	// of an architecture is declared ("x86_64" -> "x86-softfloat" in 1.94,
	// "softfloat" in 1.96). An architecture that is missing takes none.
	SoftFloatABI map[string]string
	// NoWeakLinkage: the key allows-weak-linkage is unknown, as it is from a compiler between 1.96 and 1.98 on: what it said follows from
	// the binary format.
	NoWeakLinkage bool
}

// strings are the fields that are a JSON string under their TOML name. Merging
// and writing both go over this list (and the two below), so that they cannot
// disagree about which keys exist; TestEveryFieldIsWritten holds it complete.
func (s *Spec) strings() map[string]**string {
	return map[string]**string{
		"arch": &s.Arch, "os": &s.OS, "env": &s.Env, "vendor": &s.Vendor, "llvm-target": &s.LLVMTarget, "cpu": &s.CPU,
		"data-layout": &s.DataLayout, "relocation-model": &s.RelocationModel, "code-model": &s.CodeModel,
		"panic-strategy": &s.PanicStrategy, "frame-pointer": &s.FramePointer, "entry-name": &s.EntryName,
		"entry-abi": &s.EntryABI, "debuginfo-kind": &s.DebuginfoKind, "split-debuginfo": &s.SplitDebuginfo,
		"linker": &s.Linker, "linker-flavor": &s.LinkerFlavor, "crt-objects-fallback": &s.CRTFallback,
		"relro-level": &s.RelroLevel, "exe-suffix": &s.ExeSuffix, "archive-format": &s.ArchiveFormat,
		"binary-format": &s.BinaryFormat,
	}
}

// bools are the fields that are a JSON bool under their TOML name.
func (s *Spec) bools() map[string]**bool {
	return map[string]**bool{
		"disable-redzone": &s.DisableRedzone, "default-uwtable": &s.DefaultUwtable, "has-thread-local": &s.HasThreadLocal,
		"plt-by-default": &s.PLTByDefault, "singlethread": &s.SingleThread, "abi-return-struct-as-int": &s.StructAsInt,
		"emit-debug-gdb-scripts": &s.DebugGDBScripts, "executables": &s.Executables, "dynamic-linking": &s.DynamicLinking,
		"crt-static-default": &s.CRTStaticDefault, "crt-static-respected": &s.CRTStaticRespected,
		"position-independent-executables":        &s.PIE,
		"static-position-independent-executables": &s.StaticPIE,
		"eh-frame-header":                         &s.EHFrameHeader, "has-rpath": &s.HasRpath, "no-default-libraries": &s.NoDefaultLibraries,
		"is-like-windows": &s.LikeWindows, "is-like-msvc": &s.LikeMSVC, "dll-tls-export": &s.DLLTLSExport,
		"allows-weak-linkage": &s.WeakLinkage,
	}
}

// perKey are the lists kept per linker flavor or output kind.
func (s *Spec) perKey() map[string]*map[string][]string {
	return map[string]*map[string][]string{
		"pre-link-args": &s.PreLinkArgs, "late-link-args": &s.LateLinkArgs,
		"pre-link-objects": &s.PreLinkObjects, "post-link-objects": &s.PostLinkObjects,
	}
}
