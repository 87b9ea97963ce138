package diskbuild

import (
	"fmt"

	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/session"
)

// CheckKernel refuses a file that no boot loader of the target starts.
func CheckKernel(s *session.Session, file string) error {
	machine, err := s.Machine()
	if err != nil {
		return err
	}
	report, err := elfcheck.CheckFile(file, elfcheck.Kernel(machine))
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		return fmt.Errorf("kernel %s: %w", file, err)
	}
	return nil
}
