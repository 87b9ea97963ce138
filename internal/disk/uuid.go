package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// UUID identifies an image and its partitions.
type UUID [16]byte

func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// UnmarshalText reads the usual form with or without dashes.
func (u *UUID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	if err != nil || len(b) != len(u) {
		return fmt.Errorf("%q is no UUID: 32 hex digits, with dashes or without", text)
	}
	copy(u[:], b)
	return nil
}

// derive makes another identifier that depends on this one and a name only (RFC 9562 version 8).
func (u UUID) derive(name string) UUID {
	sum := sha256.Sum256(append(u[:], name...))
	var d UUID
	copy(d[:], sum[:])
	d[6], d[8] = d[6]&0x0f|0x80, d[8]&0x3f|0x80
	return d
}

// NameUUID is the identifier of an image that was given none.
func NameUUID(name string) UUID { return UUID{}.derive("redox-clif image " + name) }
