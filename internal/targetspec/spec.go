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

// Kind is what a target is for; it decides which rules check holds it to.
type Kind string

// The kinds of target this project builds for.
const (
	User   Kind = "user"   // a Redox program: relibc, static, with CRT objects
	Kernel Kind = "kernel" // freestanding ELF without an operating system
	UEFI   Kind = "uefi"   // a PE image for the firmware
)

// Spec is one target after inheritance. A nil field was set by no file and is
// left to rustc's default. The toml names are rustc's own key names except
// where a comment says otherwise.
type Spec struct {
	// Triple is the target's name, which is the stem of its file; rustc takes
	// the name from the stem too.
	Triple string `toml:"-"`

	Inherits    []string `toml:"inherits"`    // names without .toml, applied in order before the file itself; "base/aarch64"
	Kind        Kind     `toml:"kind"`        // ours
	Description string   `toml:"description"` // ours; goes to metadata.description

	// What the code is for.
	Arch         *string  `toml:"arch"`          // "aarch64"
	OS           *string  `toml:"os"`            // "redox"
	Env          *string  `toml:"env"`           // "relibc"
	Vendor       *string  `toml:"vendor"`        // "unknown"
	LLVMTarget   *string  `toml:"llvm-target"`   // "aarch64-unknown-redox"
	CPU          *string  `toml:"cpu"`           // "x86-64"
	DataLayout   *string  `toml:"data-layout"`   // LLVM's string
	PointerWidth *int     `toml:"pointer-width"` // bits; target-pointer-width in the JSON
	Families     []string `toml:"target-family"` // ["unix"]; replaces the inherited list

	// Features are target features with their sign, "+neon" or "-neon". A
	// later mention of the same feature replaces an earlier one.
	Features []string `toml:"features"`
	// SoftFloat, ours: floats travel in integer registers. What that is called
	// in the JSON depends on architecture and compiler.
	SoftFloat *bool `toml:"soft-float"`

	// Code generation.
	RelocationModel *string `toml:"relocation-model"` // "static"
	CodeModel       *string `toml:"code-model"`       // "kernel"
	PanicStrategy   *string `toml:"panic-strategy"`   // "abort"
	FramePointer    *string `toml:"frame-pointer"`    // "always"
	StackProbes     *string `toml:"stack-probes"`     // "inline", "call" or "none": the kind only
	DisableRedzone  *bool   `toml:"disable-redzone"`
	DefaultUwtable  *bool   `toml:"default-uwtable"`
	HasThreadLocal  *bool   `toml:"has-thread-local"`
	MaxAtomicWidth  *int    `toml:"max-atomic-width"` // bits
	PLTByDefault    *bool   `toml:"plt-by-default"`
	SingleThread    *bool   `toml:"singlethread"`
	EntryName       *string `toml:"entry-name"` // "efi_main"
	EntryABI        *string `toml:"entry-abi"`  // "win64"
	StructAsInt     *bool   `toml:"abi-return-struct-as-int"`
	DebugGDBScripts *bool   `toml:"emit-debug-gdb-scripts"`
	DebuginfoKind   *string `toml:"debuginfo-kind"` // "pdb"
	SplitDebuginfo  *string `toml:"split-debuginfo"`

	// Linking.
	Linker             *string             `toml:"linker"`        // "rust-lld"
	LinkerFlavor       *string             `toml:"linker-flavor"` // "gnu-lld"
	Executables        *bool               `toml:"executables"`
	DynamicLinking     *bool               `toml:"dynamic-linking"`
	CRTStaticDefault   *bool               `toml:"crt-static-default"`
	CRTStaticRespected *bool               `toml:"crt-static-respected"`
	CRTFallback        *string             `toml:"crt-objects-fallback"` // "false"
	PIE                *bool               `toml:"position-independent-executables"`
	StaticPIE          *bool               `toml:"static-position-independent-executables"`
	RelroLevel         *string             `toml:"relro-level"` // "off"
	EHFrameHeader      *bool               `toml:"eh-frame-header"`
	HasRpath           *bool               `toml:"has-rpath"`
	NoDefaultLibraries *bool               `toml:"no-default-libraries"`
	PreLinkArgs        map[string][]string `toml:"pre-link-args"`     // linker flavor -> arguments, appended to the inherited ones
	LateLinkArgs       map[string][]string `toml:"late-link-args"`    // the same, after the objects
	PreLinkObjects     map[string][]string `toml:"pre-link-objects"`  // output kind -> file names, appended; bare names are looked up along -L
	PostLinkObjects    map[string][]string `toml:"post-link-objects"` // the same, after everything

	// File formats.
	ExeSuffix       *string  `toml:"exe-suffix"` // ".efi"
	ArchiveFormat   *string  `toml:"archive-format"`
	BinaryFormat    *string  `toml:"binary-format"`
	LikeWindows     *bool    `toml:"is-like-windows"`
	LikeMSVC        *bool    `toml:"is-like-msvc"`
	DLLTLSExport    *bool    `toml:"dll-tls-export"`
	WeakLinkage     *bool    `toml:"allows-weak-linkage"`
	SplitDebugKinds []string `toml:"supported-split-debuginfo"` // replaces the inherited list
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
