package lzma2

// Constants of the LZMA specification.
const (
	probBits  = 11
	probInit  = 1 << probBits / 2
	probShift = 5
	rangeTop  = 1 << 24

	states      = 12
	lenStates   = 4
	alignBits   = 4
	endPosModel = 14
	minMatch    = 2
	maxMatch    = 273
	literalSize = 0x300
)

// afterLiteral is the state that follows a literal.
var afterLiteral = [states]uint8{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}

// stateAfter picks the state after a match: one for "a literal came before", one for "a match came before".
func stateAfter(state, literal, match int) int {
	if state < 7 {
		return literal
	}
	return match
}

// lengthModel holds the probabilities of match lengths.
type lengthModel struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16
	high            [256]uint16
}

// model holds all adaptive probabilities, indexed as the specification says; 1<<4 position states.
type model struct {
	isMatch, isRep0Long              [states << 4]uint16
	isRep, isRepG0, isRepG1, isRepG2 [states]uint16
	posSlot                          [lenStates][64]uint16
	posSpecial                       [128]uint16
	posAlign                         [1 << alignBits]uint16
	length, repLength                lengthModel
	literal                          [literalSize << 4]uint16
}

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

func (l *lengthModel) reset() {
	l.choice, l.choice2 = probInit, probInit
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

// reset makes every probability one half; literalBits is lc+lp.
func (m *model) reset(literalBits uint) {
	fill(m.isMatch[:])
	fill(m.isRep0Long[:])
	fill(m.isRep[:])
	fill(m.isRepG0[:])
	fill(m.isRepG1[:])
	fill(m.isRepG2[:])
	for i := range m.posSlot {
		fill(m.posSlot[i][:])
	}
	fill(m.posSpecial[:])
	fill(m.posAlign[:])
	m.length.reset()
	m.repLength.reset()
	fill(m.literal[:literalSize<<literalBits])
}

func (l *lengthModel) decode(rc *rangeDecoder, posState int) int {
	if rc.bit(&l.choice) == 0 {
		return minMatch + int(rc.tree(l.low[posState][:], 3))
	}
	if rc.bit(&l.choice2) == 0 {
		return minMatch + 8 + int(rc.tree(l.mid[posState][:], 3))
	}
	return minMatch + 16 + int(rc.tree(l.high[:], 8))
}

// rangeDecoder is the arithmetic decoder over one packed chunk, which is followed by packedSlack readable bytes.
type rangeDecoder struct {
	rng, code uint32
	in        []byte
	pos, end  int
}

func (r *rangeDecoder) init(in []byte, n int) bool {
	if n < 5 || in[0] != 0 {
		return false
	}
	r.in, r.end = in, n
	r.code = uint32(in[1])<<24 | uint32(in[2])<<16 | uint32(in[3])<<8 | uint32(in[4])
	r.rng = 0xffffffff
	r.pos = 5
	return true
}

func (r *rangeDecoder) normalize() { r.rng, r.code, r.pos = refill(r.rng, r.code, r.in, r.pos) }

// refill takes in a byte when the range has become small. It and decide are all there is to the coder; the compiler puts them
// into the loops below, which keep the coder in local variables.
func refill(rng, code uint32, in []byte, at int) (uint32, uint32, int) {
	if rng < rangeTop {
		return rng << 8, code<<8 | uint32(in[at]), at + 1
	}
	return rng, code, at
}

// decide decodes one bit of the probability p and adapts that.
func decide(p *uint16, rng, code uint32) (newRange, newCode, bit uint32) {
	v := uint32(*p)
	bound := rng >> probBits * v
	if code < bound {
		*p = uint16(v + (1<<probBits-v)>>probShift)
		return bound, code, 0
	}
	*p = uint16(v - v>>probShift)
	return rng - bound, code - bound, 1
}

func (r *rangeDecoder) bit(p *uint16) (bit uint32) {
	r.normalize()
	r.rng, r.code, bit = decide(p, r.rng, r.code)
	return bit
}

// tree decodes bits bits, most significant first. Most of a decoder's time goes by here, which is why the two outcomes of decide are
// written out: each has its own way to the next bit.
func (r *rangeDecoder) tree(probs []uint16, bits uint) uint32 {
	rng, code, in, at := r.rng, r.code, r.in, r.pos
	symbol := uint32(1)
	for range bits {
		p := &probs[symbol]
		rng, code, at = refill(rng, code, in, at)
		v := uint32(*p)
		bound := rng >> probBits * v
		if code < bound {
			rng = bound
			*p = uint16(v + (1<<probBits-v)>>probShift)
			symbol <<= 1
		} else {
			rng -= bound
			code -= bound
			*p = uint16(v - v>>probShift)
			symbol = symbol<<1 | 1
		}
	}
	r.rng, r.code, r.pos = rng, code, at
	return symbol - 1<<bits
}

// matched decodes the 8 bits of a literal with the help of a byte that is likely the same. Once they differ the rest is as in tree.
func (r *rangeDecoder) matched(probs *[literalSize]uint16, likely byte) uint32 {
	rng, code, in, at := r.rng, r.code, r.in, r.pos
	symbol, bit := uint32(1), uint32(0)
	match, offs := uint32(likely), uint32(0x100)
	for symbol < 0x100 {
		match <<= 1
		rng, code, at = refill(rng, code, in, at)
		rng, code, bit = decide(&probs[(offs+(match&offs)+symbol)%literalSize], rng, code)
		symbol = symbol<<1 | bit
		offs &= match ^ (bit - 1)
	}
	r.rng, r.code, r.pos = rng, code, at
	return symbol - 0x100
}

// reverse decodes bits bits, least significant first.
func (r *rangeDecoder) reverse(probs []uint16, bits uint32) uint32 {
	symbol, value := uint32(1), uint32(0)
	for i := range bits {
		b := r.bit(&probs[symbol])
		symbol = symbol<<1 | b
		value |= b << i
	}
	return value
}

// direct decodes bits equally likely bits.
func (r *rangeDecoder) direct(bits uint32) uint32 {
	rng, code, in, at := r.rng, r.code, r.in, r.pos
	value := uint32(0)
	for range bits {
		rng, code, at = refill(rng, code, in, at)
		rng >>= 1
		// The top bit of the difference says whether code was less, without a branch that cannot be predicted.
		t := -((code - rng) >> 31)
		code -= rng &^ t
		value = value<<1 + 1 + t
	}
	r.rng, r.code, r.pos = rng, code, at
	return value
}
