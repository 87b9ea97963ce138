package redoxfs_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
)

const envOrphan = "REDOXFS_TEST_ORPHAN" // image and pipe for the process that is killed

// A tool whose caller was killed does not go on.
func TestNoOrphan(t *testing.T) {
	if given := os.Getenv(envOrphan); given != "" {
		words := strings.Split(given, "\n")
		v := redoxfs.Volume{Tool: words[0], Image: words[1]}
		_, _ = v.Apply(context.Background(), []redoxfs.Op{{Op: redoxfs.OpFile, Path: "/f", From: words[2]}}, redoxfs.ApplyOptions{})
		return
	}
	v := newVolume(t, 16)
	v.Offset = 0
	if err := v.Mkfs(t.Context(), testUUID, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pipe, tool, number := filepath.Join(dir, "pipe"), filepath.Join(dir, "tool"), filepath.Join(dir, "pid")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho $$ >%s\nexec %s \"$@\"\n", number, redoxfstest.Tool(t))
	if err := os.WriteFile(tool, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	caller := exec.Command(os.Args[0], "-test.run=^TestNoOrphan$")
	caller.Env = append(os.Environ(), envOrphan+"="+tool+"\n"+v.Image+"\n"+pipe)
	if err := caller.Start(); err != nil {
		t.Fatal(err)
	}
	var pid string
	until(t, "the tool runs", func() bool {
		b, _ := os.ReadFile(number)
		pid = strings.TrimSpace(string(b))
		name, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		return pid != "" && bytes.Contains(name, []byte("apply"))
	})
	if err := caller.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = caller.Wait() // killed
	until(t, "the tool has ended", func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || bytes.Contains(stat, []byte(") Z ")) // perhaps nobody waits for it
	})
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not after 20 s", what)
		}
	}
}
