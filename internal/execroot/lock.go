package execroot

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often a taken lock is tried again; flock(2) cannot wait for a context.
const pollInterval = 200 * time.Millisecond

// tryLock takes the lock file of a folder. It returns nil and no error when somebody has it.
//
// The lock is flock(2) on a descriptor that the commands inherit: the kernel gives it
// up when the last process that has it ends. So what a build killed by kill -9 leaves
// running keeps the folder locked, and the next build waits instead of writing beside it.
// (gofrs/flock, used elsewhere, does not hand out its descriptor.)
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, &os.PathError{Op: "flock", Path: path, Err: err}
}

// waitLock takes the lock file, waiting until ctx ends. waiting is called once if it has to.
func waitLock(ctx context.Context, path string, waiting func()) (*os.File, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for first := true; ; first = false {
		f, err := tryLock(path)
		if f != nil || err != nil {
			return f, err
		}
		if first {
			waiting()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
