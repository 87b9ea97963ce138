package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// When this variable is set the test program is a run that watches a program of its own and waits to be killed.
const watchedFolder = "WATCHED_FOLDER"

func TestWatchHelper(t *testing.T) {
	dir := os.Getenv(watchedFolder)
	if dir == "" {
		t.Skip("run by TestWatchEndsAProgramWithUs")
	}
	cmd := exec.Command("/bin/sh", "-c", "sleep 60 & wait") // nothing of Linux ends it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := watch(-cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pid.tmp"), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "pid.tmp"), filepath.Join(dir, "pid")); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

func TestWatchEndsAProgramWithUs(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWatchHelper$")
	cmd.Env = append(os.Environ(), watchedFolder+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program := waitForPid(t, filepath.Join(dir, "pid"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for end := time.Now().Add(10 * time.Second); alive(program); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			_ = syscall.Kill(-program, syscall.SIGKILL)
			t.Fatal("the program is still running")
		}
	}
}

// A watch that is over kills nobody.
func TestWatchThatIsOver(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	over, err := watch(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	over()
	if !alive(cmd.Process.Pid) {
		t.Error("it was killed")
	}
}
