package execroot

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A tool's own state is what the tool left, or it is made anew: the tool would believe it.
func TestStateThatWasChangedFromOutsideIsMadeAnew(t *testing.T) {
	const script = "mkdir -p target/deps; test -f target/deps/lib || { echo made >target/deps/lib; ln -s lib target/deps/link; }; cat target/deps/lib >out/f"
	for name, c := range map[string]struct {
		damage func(lib string) error
		anew   bool
	}{
		"nothing":        {func(string) error { return nil }, false},
		"another inode":  {func(lib string) error { return copyOver(lib) }, false},
		"other times":    {func(lib string) error { return os.Chtimes(lib, time.Now(), time.Unix(1, 0)) }, false},
		"other content":  {func(lib string) error { return os.WriteFile(lib, []byte("fake\n"), 0o644) }, true},
		"an unseen flip": {unseen, true},
		"emptied":        {func(lib string) error { return os.Truncate(lib, 0) }, true},
		"a folder":       {func(lib string) error { return replace(lib, os.Mkdir(lib+"x", 0o755)) }, true},
		"a pipe":         {func(lib string) error { return replace(lib, unix.Mkfifo(lib+"x", 0o644)) }, true},
		"a loop":         {func(lib string) error { return replace(lib, os.Symlink("lib", lib+"x")) }, true},
		"other rights":   {func(lib string) error { return os.Chmod(lib, 0) }, true},
		"another link": {func(lib string) error {
			return replace(filepath.Join(filepath.Dir(lib), "link"), os.Symlink("x", filepath.Join(filepath.Dir(lib), "linkx")))
		}, true},
		"a removed link": {func(lib string) error { return os.Remove(filepath.Join(filepath.Dir(lib), "link")) }, true},
		"no seal":        {func(lib string) error { return os.Remove(filepath.Join(filepath.Dir(lib), "..", "..", sealName)) }, false},
		"a seal that is a pipe": {func(lib string) error {
			seal := filepath.Join(filepath.Dir(lib), "..", "..", sealName)
			return replace(seal, unix.Mkfifo(seal+"x", 0o644))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			var log strings.Builder
			spec := Spec{Action: shell(script, inputs(t, r, nil)), Key: "step/key", State: []string{"target"}, Log: &log}
			lib := filepath.Join(r.Dir, "step", "key", "target", "deps", "lib")
			mustRun(t, r, spec)
			if err := c.damage(lib); err != nil {
				t.Fatal(err)
			}
			if got := mustRun(t, r, spec); got != "made\n" {
				t.Errorf("got %q", got)
			}
			if said := strings.Contains(log.String(), "is made anew"); said != c.anew {
				t.Errorf("made anew: %t, want %t\n%s", said, c.anew, &log)
			}
		})
	}
}

func replace(path string, err error) error {
	if err == nil {
		err = os.RemoveAll(path)
	}
	if err == nil {
		err = os.Rename(path+"x", path)
	}
	return err
}

func copyOver(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return replace(path, os.WriteFile(path+"x", b, 0o644))
}

// unseen flips a byte and leaves the times.
func unseen(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte("mede\n"), 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, info.ModTime(), info.ModTime())
}

// What a command that failed has left is the tool's as well.
func TestStateOfAFailedCommandIsKept(t *testing.T) {
	r := newRunner(t)
	in := inputs(t, r, nil)
	spec := Spec{Action: shell("mkdir -p target; echo kept >target/f; exit 1", in), Key: "step/key", State: []string{"target"}, Log: io.Discard}
	if _, err := r.Run(t.Context(), spec, collectOut(r)); err == nil {
		t.Fatal("it succeeded")
	}
	spec.Action = shell("cat target/f >out/f", in)
	if got := mustRun(t, r, spec); got != "kept\n" {
		t.Errorf("got %q", got)
	}
}
