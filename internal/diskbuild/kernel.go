package diskbuild

import (
	"debug/elf"
	"fmt"

	"github.com/pannous/redox-clif/internal/session"
)

// CheckKernel refuses a file that no boot loader of the target starts.
func CheckKernel(s *session.Session, file string) error {
	want, err := s.Machine()
	if err != nil {
		return err
	}
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("kernel %s: %w", file, err)
	}
	defer f.Close()
	if f.Machine != want {
		return fmt.Errorf("kernel %s: is for %v, not %v", file, f.Machine, want)
	}
	return nil
}
