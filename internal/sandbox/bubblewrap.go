package sandbox

import (
	"os"

	"github.com/pannous/redox-clif/internal/process"
)

// bubblewrap is the program bwrap, which Flatpak is made with.
type bubblewrap struct{ program string }

func (b bubblewrap) name() string { return "bubblewrap" }

// rootKeeps are the capabilities that are left to root, so that it stays root over the files it sees.
var rootKeeps = []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID"}

// ofTheMachine are the names in /proc by which root could change the machine: they are not to be written.
var ofTheMachine = []string{"sys", "sysrq-trigger", "irq", "bus"}

func (b bubblewrap) confine(p process.Process, v view) (process.Process, error) {
	p.Args = append(b.args(os.Geteuid() == 0, v), p.Args...)
	return p, nil
}

func (b bubblewrap) script(v view, args []string) []string {
	return append(b.args(os.Geteuid() == 0, v), args...)
}

// args are the command line before the program's own. As root it makes no user namespace: files of others would be nobody's.
func (b bubblewrap) args(root bool, v view) []string {
	args := []string{b.program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent", "--new-session"}
	if root {
		args = append(args, "--cap-drop", "ALL")
		for _, c := range rootKeeps {
			args = append(args, "--cap-add", c)
		}
	}
	args = append(args, "--dev", "/dev", "--proc", "/proc")
	for _, name := range ofTheMachine {
		args = append(args, "--ro-bind-try", "/proc/"+name, "/proc/"+name)
	}
	var sealed []string
	for _, p := range v.places {
		switch p.Kind {
		case readOnly:
			args = append(args, "--ro-bind", p.from(), p.At)
		case readWrite:
			args = append(args, "--bind", p.from(), p.At)
		case link:
			args = append(args, "--symlink", p.From, p.At)
		case empty:
			args = append(args, "--tmpfs", p.At)
			if p.At != tmp {
				sealed = append(sealed, "--remount-ro", p.At)
			}
		}
	}
	args = append(args, sealed...)
	return append(args, "--remount-ro", "/", "--chdir", v.dir, "--")
}

func (p place) from() string {
	if p.From != "" {
		return p.From
	}
	return p.At
}
