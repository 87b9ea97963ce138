//go:build unix

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestReadOnlyCheckoutIsExplained(t *testing.T) {
	for err, want := range map[error]bool{
		&fs.PathError{Op: "mkdir", Path: "/x/out", Err: syscall.EROFS}:  true,
		&fs.PathError{Op: "mkdir", Path: "/x/out", Err: syscall.EACCES}: true,
		&fs.PathError{Op: "mkdir", Path: "/x/out", Err: syscall.ENOSPC}: false,
	} {
		if got := strings.Contains(writable(err).Error(), "out/ may be a link"); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// `go tool` compiles this for another machine where GOOS says so: then the compiler's only complaint has to be the way out.
func TestCompilingForAnotherSystemSaysWhatToDo(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64")
	out, err := cmd.CombinedOutput()
	if err == nil || strings.Count(string(out), "\n") != 2 || !strings.Contains(string(out), "env_u_GOOS_u_GOARCH_go_tool_mage") {
		t.Errorf("%v:\n%s", err, out)
	}
}
