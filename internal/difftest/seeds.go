package difftest

import (
	"fmt"
	"strconv"
	"strings"
)

// ReadSeeds reads one seed a line; lines that begin with # are comments.
func ReadSeeds(text string) ([]uint64, error) {
	var seeds []uint64
	seen := map[uint64]bool{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		seed, err := strconv.ParseUint(line, 10, 64)
		if err != nil || seen[seed] {
			return nil, fmt.Errorf("line %d: %q is no seed, or there twice", i+1, line)
		}
		seen[seed] = true
		seeds = append(seeds, seed)
	}
	return seeds, nil
}
