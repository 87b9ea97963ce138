// Package unixmode turns Go's file modes into the twelve permission bits that formats store.
//
// It owns the places of set-user-ID, set-group-ID and sticky. It must not know any format.
package unixmode

import "io/fs"

// Bits are the Unix permission bits of a mode, 07777 at most.
func Bits(m fs.FileMode) uint16 {
	bits := uint16(m.Perm())
	for flag, bit := range map[fs.FileMode]uint16{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}
