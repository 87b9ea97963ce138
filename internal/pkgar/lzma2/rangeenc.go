package lzma2

import "math/bits"

// distanceSlot is the logarithmic class of a distance.
func distanceSlot(dist uint32) uint32 {
	if dist < 4 {
		return dist
	}
	n := uint32(bits.Len32(dist)) - 1
	return n<<1 | dist>>(n-1)&1
}

func (l *lengthModel) encode(rc *rangeEncoder, length, posState int) {
	n := uint32(length - minMatch)
	switch {
	case n < 8:
		rc.bit(&l.choice, 0)
		rc.tree(l.low[posState][:], n, 3)
	case n < 16:
		rc.bit(&l.choice, 1)
		rc.bit(&l.choice2, 0)
		rc.tree(l.mid[posState][:], n-8, 3)
	default:
		rc.bit(&l.choice, 1)
		rc.bit(&l.choice2, 1)
		rc.tree(l.high[:], n-16, 8)
	}
}

// rangeEncoder is the arithmetic encoder of one packed chunk.
type rangeEncoder struct {
	low     uint64
	rng     uint32
	cache   byte
	pending int // bytes that a carry can still change: the cache and the 0xff behind it
	out     []byte
}

func (r *rangeEncoder) reset() {
	r.low, r.rng, r.cache, r.pending = 0, 0xffffffff, 0, 1
	r.out = r.out[:0]
}

// size is the length of the chunk if it were finished now.
func (r *rangeEncoder) size() int { return len(r.out) + r.pending + 4 }

func (r *rangeEncoder) finish() []byte {
	for range 5 {
		r.shift()
	}
	return r.out
}

func (r *rangeEncoder) shift() {
	if uint32(r.low) < 0xff000000 || r.low>>32 != 0 {
		carry := byte(r.low >> 32)
		b := r.cache
		for ; r.pending > 0; r.pending-- {
			r.out = append(r.out, b+carry)
			b = 0xff
		}
		r.cache = byte(r.low >> 24)
	}
	r.pending++
	r.low = r.low & 0x00ffffff << 8
}

func (r *rangeEncoder) bit(p *uint16, bit uint32) {
	v := uint32(*p)
	bound := r.rng >> probBits * v
	if bit == 0 {
		r.rng = bound
		*p = uint16(v + (1<<probBits-v)>>probShift)
	} else {
		r.low += uint64(bound)
		r.rng -= bound
		*p = uint16(v - v>>probShift)
	}
	if r.rng < rangeTop {
		r.rng <<= 8
		r.shift()
	}
}

func (r *rangeEncoder) tree(probs []uint16, value uint32, bits uint) {
	symbol := uint32(1)
	for i := int(bits) - 1; i >= 0; i-- {
		b := value >> i & 1
		r.bit(&probs[symbol], b)
		symbol = symbol<<1 | b
	}
}

func (r *rangeEncoder) reverse(probs []uint16, value, bits uint32) {
	symbol := uint32(1)
	for range bits {
		b := value & 1
		value >>= 1
		r.bit(&probs[symbol], b)
		symbol = symbol<<1 | b
	}
}

func (r *rangeEncoder) direct(value, bits uint32) {
	for i := int(bits) - 1; i >= 0; i-- {
		r.rng >>= 1
		if value>>i&1 == 1 {
			r.low += uint64(r.rng)
		}
		if r.rng < rangeTop {
			r.rng <<= 8
			r.shift()
		}
	}
}
