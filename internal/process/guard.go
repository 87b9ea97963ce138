package process

import (
	"fmt"
	"os"
)

// guard waits in the program's own group for the other end of a pipe to be closed, which happens when this process
// ends, whichever way, and then ends the group. Its outputs are closed: nobody shall wait for it.
const guard = `(read -r _ <&%d; kill -9 0) >/dev/null 2>&1 & exec "$@"`

// Guarded makes all that a program starts end with this process, even by kill -9: the kernel's own help
// (see groupAttr) reaches only the program itself. The program runs under /bin/sh until that becomes it. The
// returned function is to be called after Exec.
func Guarded(p Process) (Process, func(), error) {
	r, w, err := os.Pipe()
	if err != nil {
		return p, nil, err
	}
	p.Files = append(append([]*os.File{}, p.Files...), r)
	const first = 3 // descriptor of Files[0]
	p.Args = append([]string{"/bin/sh", "-c", fmt.Sprintf(guard, first+len(p.Files)-1), "sh"}, p.Args...)
	return p, func() { r.Close(); w.Close() }, nil
}
