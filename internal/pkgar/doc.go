// Package pkgar reads, verifies, extracts and writes pkgar archives, the package format of Redox OS, and reads and writes the
// key files that go with it.
//
// It owns the bytes of one archive and of one key file. It must not know about repositories, package names, images, recipes or
// the build engine; it reads no environment, prints nothing and keeps no state between calls.
//
// # Format
//
// All integers are little endian, all structures are packed. Header, 136 bytes:
//
//	  0  signature  [64]byte  Ed25519 over bytes 64..136
//	 64  public key [32]byte
//	 96  table hash [32]byte  BLAKE3 of the raw entry table
//	128  count      u32       entries in the table
//	132  flags      u32       byte 0 data version (0), byte 1 architecture, byte 2 packaging, byte 3 reserved (0)
//
// Version 0.1 had a 64-bit count at 128. Its archives have no flags set, so both readings of those eight bytes agree, and an
// archive written here without flags is one that a 0.1 reader accepts.
//
// Entry, 308 bytes, count times:
//
//	 0  hash   [32]byte   BLAKE3 of the data before packaging
//	32  offset u64        counted from the end of the table
//	40  size   u64        stored bytes
//	48  mode   u32        0100000 file or 0120000 link, | permissions 07777
//	52  path   [256]byte  at most 255 bytes, the rest zero
//
// The data follows, contiguous in entry order. A link's data is its target. There are no directory entries, owners or times.
// With packaging LZMA2 the data of an entry is its length as u64 followed by one raw LZMA2 sequence; size counts both.
//
// Sources: the public documentation and behaviour of the crates pkgar, pkgar-core and pkgar-keys 0.2.4, checked in both
// directions against the tools (REDOX_TEST_E2E=1 go test).
//
// # Stricter than the reference
//
// The reference reader normalises "a//b", "a/./b" and "a/", accepts an empty path, overlapping or reordered data, garbage
// behind the path's terminator and behind the data, duplicate paths, and paths through a link of the same package. None of its
// writers produces those, and all of them are refused here.
package pkgar
