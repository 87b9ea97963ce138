package initfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
)

// sharer finds files with equal bytes. Only files whose size occurs more than
// once are read, so that an image without twins costs nothing more.
type sharer struct {
	bySize map[int64]int
	byHash map[[sha256.Size]byte]*placed
}

func newSharer(on bool, nodes []*placed) *sharer {
	s := &sharer{bySize: map[int64]int{}, byHash: map[[sha256.Size]byte]*placed{}}
	if on {
		for _, n := range nodes {
			if n.Kind == File && n.Content != nil {
				s.bySize[n.Content.Size()]++
			}
		}
	}
	return s
}

// twin returns an earlier file with the same bytes, or nil.
func (s *sharer) twin(n *placed) (*placed, error) {
	if n.len == 0 || s.bySize[n.len] < 2 {
		return nil, nil
	}
	r, err := n.Content.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.path, err)
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return nil, fmt.Errorf("%s: %w", n.path, err)
	}
	var sum [sha256.Size]byte
	copy(sum[:], h.Sum(nil))
	if first := s.byHash[sum]; first != nil && first.len == n.len {
		return first, nil
	}
	s.byHash[sum] = n
	return nil, nil
}

func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}
