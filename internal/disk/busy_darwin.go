package disk

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

// users of a file: who holds it open, and what it is attached as. See [macUsers].
func users(ctx context.Context, path string) ([]string, error) {
	return macUsers(path, os.Getpid(), func(argv ...string) (string, error) {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = []string{"LC_ALL=C"}
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			err = nil // lsof says by its status that it has found nothing, or that it may not see everything
		}
		return string(out), err
	})
}
