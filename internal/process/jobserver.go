package process

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// Jobserver is the GNU make jobserver: a pipe that holds one byte per free job. Cargo and
// rustc take from it, so that all the tools of a build together use no more processors
// than one of them would.
//
// A program that is killed takes the tokens it held with it. They are put back when nothing of this
// process's runs any more, so that a build that goes on after a failure does not slow down to a halt.
type Jobserver struct {
	r, w *os.File
	jobs int
	stop sync.Once
	mu   sync.Mutex
	held int // tokens taken by Acquire and not yet given back, or waited for
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
	// Asking for the descriptors makes both ends blocking, which clients of a jobserver expect.
	r.Fd()
	w.Fd()
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
	j.count(1)
	got := make(chan error, 1)
	go func() {
		var b [1]byte
		_, err := j.r.Read(b[:])
		got <- err
	}()
	select {
	case err := <-got:
		if err != nil {
			j.count(-1)
		}
		return err
	case <-ctx.Done():
		// The reader may still take a token; it has to come back.
		go func() {
			if <-got == nil {
				j.Release()
			} else {
				j.count(-1)
			}
		}()
		return context.Cause(ctx)
	}
}

func (j *Jobserver) count(n int) {
	j.mu.Lock()
	j.held += n
	j.mu.Unlock()
}

// Release returns a token.
func (j *Jobserver) Release() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held--
	_, _ = j.w.Write([]byte{0})
	if j.held > 0 {
		return
	}
	// Nobody works: every token has to be in the pipe.
	if free, ok := pending(j.r); ok && free < j.jobs {
		_, _ = j.w.Write(make([]byte, j.jobs-free))
	}
}

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
		_, _ = j.r.Close(), j.w.Close()
	})
}
