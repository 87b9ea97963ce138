package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// before is where the file system as it was is seen while the sandbox is laid out.
const before = "/.before"

// enter lays the sandbox out, runs the program in it, and returns its status; what the program leaves running ends with this
// process, which is the first one of its namespace.
func enter(o order, args []string) (int, error) {
	// Capabilities belong to a thread.
	runtime.LockOSThread()
	for _, part := range []func() error{newRoot, func() error { return lay(o.Places) }, devices, processes, loopback, leave} {
		if err := part(); err != nil {
			return failed, err
		}
	}
	if err := os.Chdir(o.Dir); err != nil {
		return failed, err
	}
	if err := giveUp(); err != nil {
		return failed, err
	}
	pid, err := start(o, args)
	if err != nil {
		return failed, err
	}
	return wait(pid)
}

// newRoot puts an empty root over the old one, which is seen below [before].
func newRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keeping mounts to itself: %w", err)
	}
	if err := unix.Mount("tmpfs", tmp, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mounting a root: %w", err)
	}
	if err := os.Mkdir(tmp+before, 0o755); err != nil {
		return err
	}
	if err := unix.PivotRoot(tmp, tmp+before); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	return os.Chdir("/")
}

func lay(places []place) error {
	for _, p := range places {
		if err := p.lay(); err != nil {
			return fmt.Errorf("%s: %w", p.At, err)
		}
	}
	// What is empty is written to no more when all that lies below it is there.
	for _, p := range places {
		if p.Kind == empty && p.At != tmp {
			if err := seal(p.At); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p place) lay() error {
	if err := os.MkdirAll(filepath.Dir(p.At), 0o755); err != nil {
		return err
	}
	switch p.Kind {
	case link:
		return os.Symlink(p.From, p.At)
	case empty:
		if err := os.MkdirAll(p.At, 0o755); err != nil {
			return err
		}
		return unix.Mount("tmpfs", p.At, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	}
	attributes := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if p.Kind == readOnly {
		attributes |= unix.MOUNT_ATTR_RDONLY
	}
	return bind(before+p.from(), p.At, attributes)
}

// bind shows a file or a folder at another path, with the attributes on all file systems below it.
func bind(from, at string, attributes uint64) error {
	if err := mountPoint(from, at); err != nil {
		return err
	}
	if err := unix.Mount(from, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes})
	if errors.Is(err, unix.ENOSYS) {
		return errors.New("Linux is older than 5.12")
	}
	return err
}

// mountPoint makes what a file or a folder can be mounted over.
func mountPoint(from, at string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(at, 0o755)
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func seal(at string) error {
	return unix.MountSetattr(unix.AT_FDCWD, at, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// devices are those without a machine behind them.
func devices() error {
	if err := os.MkdirAll("/dev", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("/dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		if err := bind(before+"/dev/"+name, "/dev/"+name, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return fmt.Errorf("/dev/%s: %w", name, err)
		}
	}
	for name, to := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		if err := os.Symlink("/proc/self/fd"+to, "/dev/"+name); err != nil {
			return err
		}
	}
	if err := os.Mkdir("/dev/shm", 0o755); err != nil {
		return err
	}
	return os.Chmod("/dev/shm", 0o777|fs.ModeSticky)
}

// processes shows those of the sandbox. What root could change of the machine by /proc is not to be written.
func processes() error {
	if err := os.MkdirAll("/proc", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	for _, name := range ofTheMachine {
		at := "/proc/" + name
		if _, err := os.Stat(at); err != nil {
			continue
		}
		if err := bind(at, at, unix.MOUNT_ATTR_RDONLY); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

// loopback brings the one network device up: programs that talk to themselves may.
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil // a system without
	}
	defer func() { _ = unix.Close(s) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, lo); err != nil {
		return fmt.Errorf("the loopback device: %w", err)
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// leave takes the file system as it was away.
func leave() error {
	if err := unix.Unmount(before, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if err := os.Remove(before); err != nil {
		return err
	}
	return seal("/")
}

// kept are the capabilities that are left to root, so that it stays root over the files it sees. See rootKeeps.
const kept = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID

// giveUp leaves all other capabilities for good: nothing that begins here gets them back.
func giveUp() error {
	left := uint32(0)
	if os.Geteuid() == 0 {
		left = kept
	}
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if c < 32 && left&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("giving up a capability: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: left, Permitted: left}}
	return unix.Capset(&header, &data[0])
}

// start begins the program in a session of its own: no terminal is its own, so that it can type nothing into it.
func start(o order, args []string) (int, error) {
	program, err := exec.LookPath(args[0])
	if err != nil {
		return 0, err
	}
	files := []uintptr{0, 1, 2}
	for i := range o.Files {
		files = append(files, uintptr(3+i))
	}
	pid, err := syscall.ForkExec(program, args, &syscall.ProcAttr{Env: os.Environ(), Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", args[0], err)
	}
	for _, f := range files[3:] {
		_ = unix.Close(int(f)) // whoever waits for its end waits for the program alone
	}
	return pid, nil
}

// wait collects what ends until the program does, and passes on the wish that it end.
func wait(pid int) (int, error) {
	wishes := make(chan os.Signal, 8)
	signal.Notify(wishes, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	go func() {
		for range wishes {
			_ = unix.Kill(-1, unix.SIGTERM)
		}
	}()
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return failed, err
		case ended != pid:
		case status.Signaled():
			return endedBySignal + int(status.Signal()), nil
		default:
			return status.ExitStatus(), nil
		}
	}
}
