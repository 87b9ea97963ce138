package pkgar

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
)

// Sizes of the fixed structures in bytes.
const (
	HeaderSize = 136
	EntrySize  = 308
)

// Offsets of the header fields.
const (
	signatureAt = 0
	publicKeyAt = 64
	tableHashAt = 96
	countAt     = 128
	flagsAt     = 132
)

// Hash is a BLAKE3 hash.
type Hash [32]byte

// String is the hash in hexadecimal, as repositories write it.
func (h Hash) String() string { return fmt.Sprintf("%x", h[:]) }

// Arch is the architecture byte of the flags.
type Arch uint8

// Known architectures. A value of 16 or more is an extension of the architecture 16 below.
const (
	ArchAny       Arch = 0
	ArchX86_64    Arch = 1
	ArchX86       Arch = 2
	ArchAArch64   Arch = 3
	ArchRISCV64   Arch = 4
	ArchX86_64v3  Arch = 17
	ArchAArch64v8 Arch = 19 // Armv8.2-A with dotprod and fp16
)

var archNames = map[Arch]string{
	ArchAny: "any", ArchX86_64: "x86_64", ArchX86: "x86", ArchAArch64: "aarch64", ArchRISCV64: "riscv64",
	ArchX86_64v3: "x86_64v3", ArchAArch64v8: "aarch64v8.2",
}

// String is the architecture's name, or its number.
func (a Arch) String() string {
	if s, ok := archNames[a]; ok {
		return s
	}
	return fmt.Sprintf("unknown (%d)", uint8(a))
}

// Packaging says how entry data is stored.
type Packaging uint8

// Known packagings.
const (
	Raw   Packaging = 0
	LZMA2 Packaging = 1
)

// String is the packaging's name, or its number.
func (p Packaging) String() string {
	switch p {
	case Raw:
		return "raw"
	case LZMA2:
		return "lzma2"
	default:
		return fmt.Sprintf("unknown (%d)", uint8(p))
	}
}

// Header is the fixed start of an archive.
type Header struct {
	Signature [64]byte
	PublicKey PublicKey
	TableHash Hash // BLAKE3 of the entry table; repositories identify a package by it
	Count     uint32
	Arch      Arch
	Packaging Packaging
}

// HeadSize is the number of bytes of header and entry table together.
func (h *Header) HeadSize() int64 { return HeaderSize + EntrySize*int64(h.Count) }

// ParseHeader decodes the first HeaderSize bytes of an archive. It checks the flags but neither signature nor hash.
func ParseHeader(data []byte) (*Header, error) {
	if len(data) < HeaderSize {
		return nil, &FormatError{Field: "header", Offset: int64(len(data)), Err: ErrTruncated,
			Problem: fmt.Sprintf("archive ends after %d of %d bytes", len(data), HeaderSize)}
	}
	h := &Header{Count: binary.LittleEndian.Uint32(data[countAt:])}
	copy(h.Signature[:], data[signatureAt:])
	copy(h.PublicKey[:], data[publicKeyAt:])
	copy(h.TableHash[:], data[tableHashAt:])
	return h, h.parseFlags(data[flagsAt : flagsAt+4])
}

func (h *Header) parseFlags(flags []byte) error {
	if flags[0] != 0 {
		return &FormatError{Field: "header version", Offset: flagsAt, Problem: fmt.Sprintf("data version %d is not known", flags[0])}
	}
	h.Arch, h.Packaging = Arch(flags[1]), Packaging(flags[2])
	if _, ok := archNames[h.Arch]; !ok {
		return &FormatError{Field: "header architecture", Offset: flagsAt + 1, Problem: fmt.Sprintf("%d is not known", flags[1])}
	}
	if h.Packaging > LZMA2 {
		return &FormatError{Field: "header packaging", Offset: flagsAt + 2, Problem: fmt.Sprintf("%d is not known", flags[2])}
	}
	if flags[3] != 0 {
		return &FormatError{Field: "header flags", Offset: flagsAt + 3, Problem: fmt.Sprintf("reserved byte is %d, not 0", flags[3])}
	}
	return nil
}

// Marshal is the header as HeaderSize bytes.
func (h *Header) Marshal() []byte {
	b := make([]byte, HeaderSize)
	copy(b[signatureAt:], h.Signature[:])
	copy(b[publicKeyAt:], h.PublicKey[:])
	copy(b[tableHashAt:], h.TableHash[:])
	binary.LittleEndian.PutUint32(b[countAt:], h.Count)
	b[flagsAt+1], b[flagsAt+2] = byte(h.Arch), byte(h.Packaging)
	return b
}

// Verify checks that the header is signed by key and names it.
func (h *Header) Verify(key PublicKey) error {
	return h.verifyRaw(key, h.Marshal())
}

// verifyRaw is Verify over the bytes as they were read, which is what the signature covers.
func (h *Header) verifyRaw(key PublicKey, raw []byte) error {
	if h.PublicKey != key {
		return &FormatError{Field: "header public key", Offset: publicKeyAt, Err: ErrWrongKey,
			Problem: fmt.Sprintf("is %v, want %v", h.PublicKey, key)}
	}
	if !ed25519.Verify(key[:], raw[publicKeyAt:HeaderSize], h.Signature[:]) {
		return &FormatError{Field: "header signature", Offset: signatureAt, Err: ErrSignature,
			Problem: fmt.Sprintf("does not match key %v", key)}
	}
	return nil
}

// sign fills in the key and the signature; everything else has to be final.
func (h *Header) sign(key SecretKey) {
	h.PublicKey = key.Public()
	copy(h.Signature[:], ed25519.Sign(key.key[:], h.Marshal()[publicKeyAt:]))
}
