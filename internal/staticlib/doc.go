// Package staticlib does the archive work of the sysroot: it turns the static library rustc makes of
// relibc into a libc.a that programs with a standard library of their own can be linked with, and
// it reads and writes archives of object files, as the same bytes every time.
//
// It owns the rules of which symbols are renamed or dropped, and the format of archives. It must not know recipes, actions or
// where files lie.
//
// Sources of the facts here: relibc's renamesyms.sh and stripcore.sh (which names), rust-lang/rust
// issue 142119 (why the float functions), the rustc book's chapters on the v0 and the legacy symbol
// mangling (how a Rust symbol is told from a C one), llvm/lib/Object/ArchiveWriter.cpp (archives).
package staticlib

// Empty is an archive without members. Programs name libm, libpthread, libdl and librt by habit; on
// Redox all of it is in libc.a.
func Empty() []byte { return []byte(archiveMagic) }
