package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// firstLandlock is the version of Landlock from which on a file may be moved from one writable folder to another (Linux 5.19).
const firstLandlock = 2

// fence has this program put the fence around itself.
func (b *Sandbox) fence(f fenced, args []string) []string {
	if !b.s.Reenter || landlock() < firstLandlock {
		return args
	}
	return f.args("/proc/self/exe", args)
}

// landlock is the kernel's version of it, 0 when it has none.
func landlock() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// changes are all ways to change a folder but one: sockets may be made, since ssh ends when it cannot make that of its ControlMaster.
const changes = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
	unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
	unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER

// written are the devices that programs write to: ssh asks on the terminal.
var written = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts"}

// enclose puts the fence around this process and has it be the program.
func enclose(f fenced, args []string) error {
	// The fence belongs to a thread, and to what that becomes.
	runtime.LockOSThread()
	program, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	if err := f.put(landlock()); err != nil {
		return fmt.Errorf("Landlock: %w", err)
	}
	return syscall.Exec(program, args, os.Environ())
}

func (f fenced) put(version int) error {
	dirs, err := f.places()
	if err != nil {
		return err
	}
	rules := unix.LandlockRulesetAttr{Handled_access_fs: changes}
	onFiles := uint64(unix.LANDLOCK_ACCESS_FS_WRITE_FILE)
	if version >= 3 {
		rules.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		onFiles |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 6 {
		rules.Scoped = unix.LANDLOCK_SCOPE_SIGNAL // to nobody else's processes
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if errno != 0 {
		return errno
	}
	for _, dir := range dirs {
		if err := allow(int(set), dir, rules.Handled_access_fs); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	for _, device := range written {
		if err := allow(int(set), device, onFiles); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", device, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return errno
	}
	return unix.Close(int(set))
}

// allow lets something be done with a file, or with a folder and what lies below it.
func allow(set int, path string, access uint64) error {
	at, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(at) }()
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(at)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
