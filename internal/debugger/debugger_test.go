package debugger

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestTheDebuggerThatKnowsTheTargetIsTaken(t *testing.T) {
	for _, c := range []struct {
		host string
		have []string
		want string
	}{
		{"x86_64", []string{"gdb", "lldb", "gdb-multiarch"}, "gdb-multiarch"},
		{"x86_64", []string{"gdb", "lldb"}, "lldb"},
		{"aarch64", []string{"gdb", "lldb"}, "gdb"},
		{"x86_64", []string{"gdb"}, ""},
	} {
		look := func(name string) (string, error) {
			if slices.Contains(c.have, name) {
				return name, nil
			}
			return "", exec.ErrNotFound
		}
		got, err := Find("aarch64", c.host, look)
		if got != c.want || (err == nil) == (c.want == "") || err != nil && !errors.Is(err, ErrNone) {
			t.Errorf("%+v: %q %v", c, got, err)
		}
	}
}

func TestArguments(t *testing.T) {
	a := Attachment{Arch: "aarch64", Port: 5, Kernel: `/a b/k"`, Programs: []string{"/p"}, Commands: "/c"}
	for program, want := range map[string]string{
		"/usr/bin/gdb-multiarch": `-q|-nx|-batch|-ex|set confirm off|-ex|set pagination off|-ex|set architecture aarch64|-ex|set breakpoint auto-hw on|` +
			`-ex|file "/a b/k\""|-ex|add-symbol-file "/p"|-ex|target remote 127.0.0.1:5|-x|/c`,
		"lldb": `--batch|-o|settings set target.default-arch aarch64|-o|target create "/a b/k\""|-o|target modules add "/p"|-o|gdb-remote 127.0.0.1:5|` +
			`-o|target modules load --file "/a b/k\"" --slide 0|-o|target modules load --file "/p" --slide 0|-s|/c`,
	} {
		if got := strings.Join(a.Args(program), "|"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", program, got, want)
		}
	}
}
