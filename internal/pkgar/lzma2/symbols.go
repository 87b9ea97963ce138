package lzma2

import "fmt"

// symbols decodes n bytes of output from the packed chunk.
func (d *Decoder) symbols(n int) error {
	rc, m := &d.rc, &d.model
	end := d.pos + int64(n)
	for d.pos < end {
		if rc.pos > rc.end {
			return d.corrupt("compressed data ends early")
		}
		posState := int(d.pos & d.pbMask)
		if rc.bit(&m.isMatch[d.state<<4|posState]) == 0 {
			if err := d.literal(); err != nil {
				return err
			}
			continue
		}
		length, err := d.matchLength(posState)
		if err != nil {
			return err
		}
		if length > int(end-d.pos) {
			return d.corrupt("match runs %d bytes beyond the end of the chunk", length-int(end-d.pos))
		}
		if err := d.copyMatch(length); err != nil {
			return err
		}
	}
	rc.normalize()
	if rc.pos != rc.end || rc.code != 0 {
		return d.corrupt("compressed size does not match its data")
	}
	return nil
}

// literal decodes one byte.
func (d *Decoder) literal() error {
	var prev byte
	if d.pos > 0 {
		prev = d.win[int(d.pos-1)&d.mask]
	}
	ctx := int(d.pos&d.lpMask)<<d.lc | int(prev)>>(8-d.lc)
	probs := (*[literalSize]uint16)(d.model.literal[ctx*literalSize:])
	var symbol uint32
	if d.state < 7 {
		symbol = d.rc.tree(probs[:], 8)
	} else {
		likely, err := d.matchByte()
		if err != nil {
			return err
		}
		symbol = d.rc.matched(probs, likely)
	}
	d.win[int(d.pos)&d.mask] = byte(symbol)
	d.advance(1)
	d.state = int(afterLiteral[d.state])
	return nil
}

// matchByte is the byte at the last distance, the context of a literal that follows a match.
func (d *Decoder) matchByte() (byte, error) {
	if d.rep0 >= d.pos {
		return 0, d.corrupt("literal refers to data before the start")
	}
	if d.rep0 < int64(len(d.win)) {
		return d.win[int(d.pos-1-d.rep0)&d.mask], nil
	}
	if err := d.readFar(1); err != nil {
		return 0, err
	}
	return d.far[0], nil
}

// matchLength decodes what kind of match follows, sets rep0 to its distance and returns its length.
func (d *Decoder) matchLength(posState int) (int, error) {
	rc, m := &d.rc, &d.model
	if rc.bit(&m.isRep[d.state]) == 0 {
		d.rep1, d.rep2, d.rep3 = d.rep0, d.rep1, d.rep2
		length := m.length.decode(rc, posState)
		d.rep0 = d.distance(length)
		d.state = stateAfter(d.state, 7, 10)
		return length, nil
	}
	if rc.bit(&m.isRepG0[d.state]) == 0 {
		if rc.bit(&m.isRep0Long[d.state<<4|posState]) == 0 {
			d.state = stateAfter(d.state, 9, 11)
			return 1, nil
		}
	} else {
		d.rotateReps()
	}
	length := m.repLength.decode(rc, posState)
	d.state = stateAfter(d.state, 8, 11)
	return length, nil
}

func (d *Decoder) rotateReps() {
	rc, m := &d.rc, &d.model
	var dist int64
	if rc.bit(&m.isRepG1[d.state]) == 0 {
		dist = d.rep1
	} else {
		if rc.bit(&m.isRepG2[d.state]) == 0 {
			dist = d.rep2
		} else {
			dist = d.rep3
			d.rep3 = d.rep2
		}
		d.rep2 = d.rep1
	}
	d.rep1 = d.rep0
	d.rep0 = dist
}

func (d *Decoder) distance(length int) int64 {
	rc, m := &d.rc, &d.model
	lenState := min(length-minMatch, lenStates-1)
	slot := rc.tree(m.posSlot[lenState][:], 6)
	if slot < 4 {
		return int64(slot)
	}
	bits := slot>>1 - 1
	dist := (2 | slot&1) << bits
	if slot < endPosModel {
		return int64(dist + rc.reverse(m.posSpecial[dist-slot:], bits))
	}
	dist += rc.direct(bits-alignBits) << alignBits
	return int64(dist + rc.reverse(m.posAlign[:], alignBits))
}

// copyMatch appends length bytes from the last distance.
func (d *Decoder) copyMatch(length int) error {
	if d.rep0 >= d.pos {
		return d.corrupt("match refers to data %d bytes before the start", d.rep0-d.pos+1)
	}
	if d.rep0 >= MaxDistance {
		return d.corrupt("match distance %d is more than the dictionary of %d bytes", d.rep0+1, MaxDistance)
	}
	if d.rep0 >= int64(len(d.win)) {
		return d.copyFar(length)
	}
	dst := int(d.pos) & d.mask
	src := int(d.pos-1-d.rep0) & d.mask
	if dst+length <= len(d.win) && src+length <= len(d.win) && int(d.rep0) >= length {
		copy(d.win[dst:dst+length], d.win[src:src+length])
	} else {
		for i := range length {
			d.win[(dst+i)&d.mask] = d.win[(src+i)&d.mask]
		}
	}
	d.advance(length)
	return nil
}

func (d *Decoder) copyFar(length int) error {
	if err := d.readFar(length); err != nil {
		return err
	}
	for i := range length {
		d.win[int(d.pos+int64(i))&d.mask] = d.far[i]
	}
	d.advance(length)
	return nil
}

// readFar fills d.far from the history. A distance beyond the window is beyond the current chunk, so it is written already.
func (d *Decoder) readFar(n int) error {
	if d.history == nil {
		return ErrWindow
	}
	if _, err := d.history.ReadAt(d.far[:n], d.total-1-d.rep0); err != nil {
		return fmt.Errorf("read back %d bytes of output: %w", n, err)
	}
	return nil
}
