// Package elfedit takes symbols and debug information out of linked ELF files, and adds sections to them.
//
// It owns the layout of what is left: what is loaded stays as and where it is, the rest follows it without gaps. It must not know why a
// file is stripped, where files lie, or what is in the sections that it keeps. It takes linked files alone, 64 bits and little-endian;
// whatever else it is given is an error, and no input makes it panic.
//
// The result is byte for byte that of llvm-objcopy 21 with --strip-all or --strip-debug, --keep-section and --add-section, whose order
// and alignment it follows (llvm/lib/ObjCopy/ELF/ELFObject.cpp): who compares two builds sees no difference of tools.
package elfedit
