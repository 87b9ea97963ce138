package process

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// guard waits in the program's own group for the other end of a pipe to be closed, which happens when this process
// ends, whichever way, and then ends the group. Its outputs are closed: nobody shall wait for it. Of the program's descriptors
// the two of the guard are closed; that of the second pipe is the guard's sign of life.
const guard = `(read -r _ <&%[1]d; kill -9 0) >/dev/null 2>&1 & exec "$@" %[1]d<&- %[2]d>&-`

// Guarded makes all that a program starts end with this process, even by kill -9: the kernel's own help
// (see groupAttr) reaches only the program itself. The program runs under /bin/sh until that becomes it. The
// returned function is to be called after Exec. It waits until the guard, which Exec ends with the rest of the group, is gone: until
// then a lock that the program inherited is held.
func Guarded(p Process) (Process, func(), error) {
	r, w, err := os.Pipe()
	if err != nil {
		return p, nil, err
	}
	life, alive, err := os.Pipe()
	if err != nil {
		return p, nil, errors.Join(err, r.Close(), w.Close())
	}
	const first = 3 // descriptor of Files[0]
	at := first + len(p.Files)
	p.Files = append(append([]*os.File{}, p.Files...), r, alive)
	p.Args = append([]string{"/bin/sh", "-c", fmt.Sprintf(guard, at, at+1), "sh"}, p.Args...)
	return p, func() {
		for _, f := range []*os.File{r, w, alive} {
			_ = f.Close()
		}
		_, _ = io.Copy(io.Discard, life) // nothing is written: it ends with the guard
		_ = life.Close()
	}, nil
}
