package process

import "fmt"

// Excerpt keeps the beginning and the end of a text, however long it is: what a program says of its failure is in one of them. The zero
// Excerpt is empty.
type Excerpt struct {
	head, tail []byte
	left       int64 // bytes between them that are gone
}

// excerptSide bounds each side, in bytes.
const excerptSide = 64 << 10

// Write implements io.Writer.
func (e *Excerpt) Write(p []byte) (int, error) {
	n := len(p)
	if room := excerptSide - len(e.head); room > 0 {
		taken := min(room, len(p))
		e.head = append(e.head, p[:taken]...)
		p = p[taken:]
	}
	if over := len(p) - excerptSide; over > 0 {
		e.left += int64(over)
		p = p[over:]
	}
	if over := len(e.tail) + len(p) - excerptSide; over > 0 {
		e.left += int64(over)
		e.tail = e.tail[:copy(e.tail, e.tail[over:])]
	}
	e.tail = append(e.tail, p...)
	return n, nil
}

// String is the text, or its beginning and its end with a word of what is between.
func (e *Excerpt) String() string {
	if e.left == 0 {
		return string(e.head) + string(e.tail)
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", e.head, e.left, e.tail)
}
