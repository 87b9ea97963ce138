package session

import (
	"errors"
	"fmt"
	"strings"
)

// CheckArgs refuses what stands in the place of a command's names and paths and cannot be meant: nothing, which would be the current
// folder, and flags, which Mage takes for words when they come too early.
func CheckArgs(given ...string) error {
	for _, w := range given {
		if w == "" {
			return errors.New("a name or path is empty")
		}
		if strings.HasPrefix(w, "-") {
			return fmt.Errorf("%q stands where a name or path belongs; flags come last, and a path that begins so is written ./%s", w, w)
		}
	}
	return nil
}
