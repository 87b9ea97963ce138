package lzma2

import "encoding/binary"

// Encoder settings. They trade ratio for speed; changing one changes the bytes of archives.
const (
	// MaxSegment is the most data one call of Encode takes. Segments are independent of each other, so they can be encoded
	// side by side.
	MaxSegment = 2 << 20

	encLC, encLP, encPB = 3, 0, 2
	encProps            = (encPB*5+encLP)*9 + encLC

	// A chunk is closed when one more symbol could pass the limits of its header.
	chunkFull  = maxChunk - maxMatch
	packedFull = maxPacked - 64
	// storedMax is the most data of one stored chunk.
	storedMax = 64 << 10
)

// Encoder turns data into LZMA2 chunks and keeps its memory, about 6 MiB, from one call to the next. The same data always
// gives the same bytes. It is not safe for concurrent use.
type Encoder struct {
	finder finder
	rc     rangeEncoder
	model  model

	src        []byte
	pos        int // bytes encoded
	state      int
	reps       [4]int32 // distances, 0 = the byte before
	ahead      match    // the finder's answer for pos, if it is one step ahead
	haveAhead  bool
	needProps  bool
	needState  bool
	needDict   bool
	chunkStart int
}

// NewEncoder returns an encoder.
func NewEncoder() *Encoder { return &Encoder{} }

// Encode appends the chunks of src to dst, beginning with a dictionary reset and without an end mark (a zero byte), so that
// the results of several calls can follow each other. It panics if src is longer than MaxSegment.
func (e *Encoder) Encode(dst, src []byte) []byte {
	if len(src) > MaxSegment {
		panic("lzma2: segment too long")
	}
	e.src, e.pos = src, 0
	e.finder.reset(src)
	e.haveAhead = false
	e.needDict, e.needProps = true, true
	e.resetState()
	for e.pos < len(src) {
		dst = e.chunk(dst)
	}
	e.src = nil
	e.finder.src = nil
	return dst
}

func (e *Encoder) resetState() {
	e.state = 0
	e.reps = [4]int32{}
	e.model.reset(encLC + encLP)
	e.needState = true
}

// chunk encodes until a chunk is full and appends it, stored if it does not get smaller.
func (e *Encoder) chunk(dst []byte) []byte {
	e.chunkStart = e.pos
	e.rc.reset()
	for e.pos < len(e.src) && e.pos-e.chunkStart < chunkFull && e.rc.size() < packedFull {
		e.symbol()
	}
	packed := e.rc.finish()
	unpacked := e.pos - e.chunkStart
	if len(packed)+2 >= unpacked {
		dst = e.appendStored(dst)
		e.resetState()
		return dst
	}
	control := byte(0x80)
	switch {
	case e.needDict:
		control = 0xe0
	case e.needProps:
		control = 0xc0
	case e.needState:
		control = 0xa0
	}
	dst = append(dst, control|byte((unpacked-1)>>16))
	dst = binary.BigEndian.AppendUint16(dst, uint16(unpacked-1))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(packed)-1))
	if control >= 0xc0 {
		dst = append(dst, encProps)
	}
	e.needDict, e.needProps, e.needState = false, false, false
	return append(dst, packed...)
}

func (e *Encoder) appendStored(dst []byte) []byte {
	data := e.src[e.chunkStart:e.pos]
	for len(data) > 0 {
		piece := data[:min(len(data), storedMax)]
		control := byte(2)
		if e.needDict {
			control = 1
			e.needDict = false
		}
		dst = append(dst, control)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(piece)-1))
		dst = append(dst, piece...)
		data = data[len(piece):]
	}
	return dst
}

// symbol encodes one literal, match or repetition.
func (e *Encoder) symbol() {
	length, dist, rep := e.choose()
	posState := e.pos & (1<<encPB - 1)
	switch {
	case length == 1 && rep == 0:
		e.shortRep(posState)
	case length == 1:
		e.literal(posState)
	case rep >= 0:
		e.repMatch(rep, length, posState)
	default:
		e.match(dist, length, posState)
	}
	e.pos += length
}

// choose decides what comes next: length 1 is a literal, or the byte at the last distance if rep is 0; otherwise rep is the
// index of a repeated distance or -1. It leaves the finder at pos+length, or one further with the answer kept.
func (e *Encoder) choose() (length int, dist int32, rep int) {
	main := e.find()
	left := len(e.src) - e.pos
	if left < minMatch {
		return 1, 0, e.shortOrLiteral()
	}
	repLen, repIndex := e.longestRep(e.pos, left)
	if repLen >= niceLength {
		e.skip(repLen - 1)
		return repLen, 0, repIndex
	}
	if main.length >= niceLength {
		e.skip(main.length - 1)
		return main.length, main.dist, -1
	}
	if main.length == 2 && main.dist >= 0x80 {
		main.length = 1
	}
	if repLen >= 2 && repWins(repLen, main) {
		e.skip(repLen - 1)
		return repLen, 0, repIndex
	}
	if main.length < 2 || left <= 2 {
		return 1, 0, e.shortOrLiteral()
	}
	e.ahead, e.haveAhead = e.finder.next(), true
	if e.betterAhead(main, left) {
		return 1, 0, e.shortOrLiteral()
	}
	e.haveAhead = false
	e.skip(main.length - 2)
	return main.length, main.dist, -1
}

func (e *Encoder) find() match {
	if e.haveAhead {
		e.haveAhead = false
		return e.ahead
	}
	return e.finder.next()
}

func (e *Encoder) skip(n int) {
	for range n {
		e.finder.skip()
	}
}

// repWins prefers a repeated distance, which costs few bits, to a slightly longer match far away.
func repWins(repLen int, main match) bool {
	return repLen+1 >= main.length ||
		repLen+2 >= main.length && main.dist >= 1<<9 ||
		repLen+3 >= main.length && main.dist >= 1<<15
}

// betterAhead reports whether a literal now and the match after it are better than the match now.
func (e *Encoder) betterAhead(main match, left int) bool {
	next := e.ahead
	if next.length >= 2 {
		if next.length >= main.length && next.dist < main.dist ||
			next.length == main.length+1 && !muchFurther(next.dist, main.dist) ||
			next.length > main.length+1 ||
			next.length+1 >= main.length && main.length >= 3 && muchFurther(main.dist, next.dist) {
			return true
		}
	}
	repLen, _ := e.longestRep(e.pos+1, left-1)
	return repLen >= max(2, main.length-1)
}

// muchFurther reports whether distance a costs clearly more bits than b.
func muchFurther(a, b int32) bool { return a>>7 > b }

// longestRep is the longest repetition at a last distance.
func (e *Encoder) longestRep(pos, left int) (length, index int) {
	limit := min(left, maxMatch)
	for i, dist := range e.reps {
		from := pos - 1 - int(dist)
		if from < 0 {
			continue
		}
		if n := common(e.src, from, pos, limit); n > length {
			length, index = n, i
		}
	}
	return length, index
}

// shortOrLiteral is 0 if the next byte is the one at the last distance and coding it as that is likely cheaper, else -1.
func (e *Encoder) shortOrLiteral() int {
	from := e.pos - 1 - int(e.reps[0])
	if from >= 0 && e.state >= 7 && e.src[from] == e.src[e.pos] {
		return 0
	}
	return -1
}

func (e *Encoder) literal(posState int) {
	m := &e.model
	e.rc.bit(&m.isMatch[e.state<<4|posState], 0)
	var prev byte
	if e.pos > 0 {
		prev = e.src[e.pos-1]
	}
	ctx := int(prev) >> (8 - encLC)
	probs := (*[literalSize]uint16)(m.literal[ctx*literalSize:])
	symbol := uint32(e.src[e.pos]) | 0x100
	if e.state < 7 {
		for symbol < 0x10000 {
			e.rc.bit(&probs[symbol>>8], symbol>>7&1)
			symbol <<= 1
		}
	} else {
		match := uint32(e.src[e.pos-1-int(e.reps[0])])
		offs := uint32(0x100)
		for symbol < 0x10000 {
			match <<= 1
			e.rc.bit(&probs[offs+match&offs+symbol>>8], symbol>>7&1)
			symbol <<= 1
			offs &^= match ^ symbol
		}
	}
	e.state = int(afterLiteral[e.state])
}

func (e *Encoder) shortRep(posState int) {
	m := &e.model
	e.rc.bit(&m.isMatch[e.state<<4|posState], 1)
	e.rc.bit(&m.isRep[e.state], 1)
	e.rc.bit(&m.isRepG0[e.state], 0)
	e.rc.bit(&m.isRep0Long[e.state<<4|posState], 0)
	e.state = stateAfter(e.state, 9, 11)
}

func (e *Encoder) repMatch(rep, length, posState int) {
	m := &e.model
	e.rc.bit(&m.isMatch[e.state<<4|posState], 1)
	e.rc.bit(&m.isRep[e.state], 1)
	if rep == 0 {
		e.rc.bit(&m.isRepG0[e.state], 0)
		e.rc.bit(&m.isRep0Long[e.state<<4|posState], 1)
	} else {
		e.rc.bit(&m.isRepG0[e.state], 1)
		if rep == 1 {
			e.rc.bit(&m.isRepG1[e.state], 0)
		} else {
			e.rc.bit(&m.isRepG1[e.state], 1)
			e.rc.bit(&m.isRepG2[e.state], uint32(rep-2))
		}
		dist := e.reps[rep]
		copy(e.reps[1:rep+1], e.reps[:rep])
		e.reps[0] = dist
	}
	m.repLength.encode(&e.rc, length, posState)
	e.state = stateAfter(e.state, 8, 11)
}

func (e *Encoder) match(dist int32, length, posState int) {
	m := &e.model
	e.rc.bit(&m.isMatch[e.state<<4|posState], 1)
	e.rc.bit(&m.isRep[e.state], 0)
	m.length.encode(&e.rc, length, posState)
	e.distance(uint32(dist), min(length-minMatch, lenStates-1))
	copy(e.reps[1:], e.reps[:3])
	e.reps[0] = dist
	e.state = stateAfter(e.state, 7, 10)
}

func (e *Encoder) distance(dist uint32, lenState int) {
	m := &e.model
	slot := distanceSlot(dist)
	e.rc.tree(m.posSlot[lenState][:], slot, 6)
	if slot < 4 {
		return
	}
	bits := slot>>1 - 1
	base := (2 | slot&1) << bits
	if slot < endPosModel {
		e.rc.reverse(m.posSpecial[base-slot:], dist-base, bits)
		return
	}
	e.rc.direct((dist-base)>>alignBits, bits-alignBits)
	e.rc.reverse(m.posAlign[:], dist&(1<<alignBits-1), alignBits)
}
