//go:build !linux && !darwin

package pkgar

import "errors"

// exchange needs a system call that only some systems have.
func exchange(_, _ string) error { return errors.ErrUnsupported }

func syncTree(dir string) error { return syncFiles(dir) }
