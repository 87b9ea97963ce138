package git

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/process"
)

// In returns all that a command prints in the repository whose work tree is dir, which need not be its user's current folder. Hooks and
// signatures of the user's are for the user's own commits. stdin may be nil. A git that fails is an *Error.
func (g Git) In(ctx context.Context, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	own := []string{"--work-tree=" + dir, "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", "-c", "core.quotePath=false"}
	cmd := g.Command(ctx, filepath.Join(dir, ".git"), append(own, args...)...)
	cmd.Dir = dir
	var out bytes.Buffer
	var problems process.Excerpt
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &problems
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &Error{Command: args[0], Message: problems.String(), err: err}
	}
	return out.Bytes(), err
}
