package run

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// Jobserver is the GNU make jobserver: a pipe that holds one byte per free job. Cargo and
// rustc take from it, so that all the tools of a build together use no more processors
// than one of them would.
type Jobserver struct {
	r, w *os.File
	jobs int
	stop sync.Once
}

// NewJobserver makes a pipe with jobs tokens.
func NewJobserver(jobs int) (*Jobserver, error) {
	if jobs < 1 {
		return nil, fmt.Errorf("a build needs at least one job, not %d", jobs)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	j := &Jobserver{r: r, w: w, jobs: jobs}
	if _, err := w.Write(make([]byte, jobs)); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// Acquire takes the token a step holds while it runs: a tool is a client that
// owns one job already. The token goes back with Release.
func (j *Jobserver) Acquire(ctx context.Context) error {
	got := make(chan error, 1)
	go func() {
		var b [1]byte
		_, err := j.r.Read(b[:])
		got <- err
	}()
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		// The reader may still take a token; it has to come back.
		go func() {
			if <-got == nil {
				j.Release()
			}
		}()
		return context.Cause(ctx)
	}
}

// Release returns a token.
func (j *Jobserver) Release() { _, _ = j.w.Write([]byte{0}) }

// Files are the two ends of the pipe, to be inherited as the descriptors first and first+1.
func (j *Jobserver) Files() []*os.File { return []*os.File{j.r, j.w} }

// Env is the environment that names the pipe to cargo and make when it is inherited at
// descriptor first.
func (j *Jobserver) Env(first int) []string {
	flags := fmt.Sprintf("-j%d --jobserver-fds=%d,%d --jobserver-auth=%d,%d", j.jobs, first, first+1, first, first+1)
	return []string{"CARGO_MAKEFLAGS=" + flags, "MAKEFLAGS=" + flags}
}

// Close closes the pipe.
func (j *Jobserver) Close() {
	j.stop.Do(func() {
		j.r.Close()
		j.w.Close()
	})
}
