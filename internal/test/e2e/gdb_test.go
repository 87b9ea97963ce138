package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A debugger stops in the demo's kernel and in a program, each found by its symbols; where there is none, what to install is said.
func TestADebuggerStopsInTheKernelAndInAProgram(t *testing.T) {
	w := setUp(t)
	commands := filepath.Join(t.TempDir(), "commands")
	check(t, os.WriteFile(commands, []byte("hbreak kernel_main\ncontinue\nbt 1\ndelete\nhbreak main\ncontinue\nbt 1\nkill\n"), 0o644))
	args := []string{"gdb", "-program=hello", "-commands=" + commands}
	if _, err := exec.LookPath("gdb-multiarch"); err != nil {
		shown(t, w.mustFail(t, args...), "apt install gdb-multiarch")
		return
	}
	shown(t, w.mustRun(t, args...), "Breakpoint 1, ", "in kernel_main ()", "Breakpoint 2, ", "in main ()")
}
