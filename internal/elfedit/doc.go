// Package elfedit takes symbols and debug information out of linked ELF files, adds sections to them, and renames the symbols of objects.
//
// It owns the layout of what comes out: what is loaded stays as and where it is, the rest follows it without gaps. It must not know why a
// file is changed, where files lie, or what is in the sections that it keeps. It takes ELF files of 64 bits, little-endian; whatever else
// it is given is an error, and no input makes it panic.
//
// What comes out is byte for byte what llvm-objcopy makes (--strip-all, --strip-debug, --keep-section, --add-section, --redefine-syms), whose
// order and alignment it follows (llvm/lib/ObjCopy/ELF/ELFObject.cpp, as of LLVM 21 and 22): who compares two builds sees no difference of tools.
package elfedit
