package lzma2

import (
	"encoding/binary"
	"math/bits"
)

const (
	// niceLength ends the search: a match of this length is taken at once.
	niceLength = 64
	// chainDepth is how many earlier places with the same hash are tried.
	chainDepth = 24

	// chainSize is how many positions have a place in the chains, a power of two: further back only the last place of each hash is
	// known. Half a segment costs 0.02 % of the ratio against all of it and saves a third of the memory.
	chainSize = MaxSegment / 2

	hash2Size = 1 << 16
	hash3Bits = 16
	hash4Bits = 18
)

// match is a place with the same bytes; length 0 if there is none of at least 2 bytes, dist 0 = the byte before.
type match struct {
	length int
	dist   int32
}

// finder finds earlier places with the same bytes by chains of equal hashes. Positions are stored plus one, so that zero means
// none.
type finder struct {
	src   []byte
	pos   int
	hash2 [hash2Size]int32
	hash3 [1 << hash3Bits]int32
	hash4 [1 << hash4Bits]int32
	chain [chainSize]int32 // previous position with the same hash of 4 bytes, a ring
}

func (f *finder) reset(src []byte) {
	f.src, f.pos = src, 0
	clear(f.hash2[:])
	clear(f.hash3[:])
	clear(f.hash4[:])
}

// insert records the position and returns the earlier ones with the same hashes, plus one.
func (f *finder) insert() (p2, p3, p4 int32) {
	v := binary.LittleEndian.Uint32(f.src[f.pos:])
	h2 := v & (hash2Size - 1)
	h3 := v << 8 * 506832829 >> (32 - hash3Bits)
	h4 := v * 2654435761 >> (32 - hash4Bits)
	p2, p3, p4 = f.hash2[h2], f.hash3[h3], f.hash4[h4]
	at := int32(f.pos + 1)
	f.hash2[h2], f.hash3[h3], f.hash4[h4] = at, at, at
	f.chain[f.pos%chainSize] = p4
	return p2, p3, p4
}

// skip goes on one byte without searching.
func (f *finder) skip() {
	if f.pos+4 <= len(f.src) {
		f.insert()
	}
	f.pos++
}

// next searches for a match at the current position and goes on one byte. The result is the longest match, except that a
// match one byte shorter and much nearer is preferred.
func (f *finder) next() match {
	pos := f.pos
	if pos+4 > len(f.src) {
		f.pos++
		return match{}
	}
	p2, p3, p4 := f.insert()
	f.pos++
	limit := min(len(f.src)-pos, maxMatch)
	best := match{}
	consider := func(p int32) {
		n := common(f.src, int(p)-1, pos, limit)
		dist := int32(pos) - p
		if n >= 2 && n > best.length && !(n == best.length+1 && muchFurther(dist, best.dist)) {
			best = match{n, dist}
		}
	}
	if p2 > 0 {
		consider(p2)
	}
	if p3 > 0 && p3 != p2 {
		consider(p3)
	}
	for depth := chainDepth; p4 > 0 && depth > 0 && best.length < niceLength && best.length < limit; depth-- {
		q := int(p4) - 1
		if best.length == 0 || f.src[q+best.length] == f.src[pos+best.length] {
			consider(p4)
		}
		if pos-q >= chainSize {
			break
		}
		p4 = f.chain[q%chainSize]
	}
	return best
}

// common is the number of equal bytes at a and b, at most limit; a < b and b+limit <= len(src).
func common(src []byte, a, b, limit int) int {
	n := 0
	for n+8 <= limit {
		if x := binary.LittleEndian.Uint64(src[a+n:]) ^ binary.LittleEndian.Uint64(src[b+n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < limit && src[a+n] == src[b+n] {
		n++
	}
	return n
}
