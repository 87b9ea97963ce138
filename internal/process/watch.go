package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// watchScript waits for the other end of a pipe to be closed, which happens when this process ends, whichever way, and then kills. What
// this process writes before it goes says that there is nothing left to kill.
const watchScript = `read -r done; test -n "$done" || kill -9 %d`

// watch kills a program, or with a negative number a process group, when this process ends by kill -9 or otherwise. It is what systems
// are given that do not do it themselves. The returned function ends the watch and has to be called before the number may
// be another's, so before or right after the program is waited for.
func watch(pid int) (func(), error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf(watchScript, pid))
	cmd.Env, cmd.Stdin = []string{}, r
	cmd.SysProcAttr = ownGroup() // what ends ours does not end it
	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return nil, err
	}
	return func() {
		_, _ = w.WriteString("done\n") // it fails when the watch was killed, which is its end too
		_ = w.Close()
		_ = cmd.Wait()
	}, nil
}

// RunWithUs is cmd.Run for a program that ends with this process, even by kill -9. It sets SysProcAttr.
func RunWithUs(cmd *exec.Cmd) error {
	cmd.SysProcAttr = EndsWithUs()
	if err := cmd.Start(); err != nil {
		return err
	}
	over, err := Watch(cmd.Process.Pid)
	if err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(err, cmd.Wait())
	}
	err = cmd.Wait()
	over()
	return err
}
