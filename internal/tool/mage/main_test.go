//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/tool/madeof"
)

// `go tool` compiles this for another machine where GOOS says so: then the compiler's only complaint has to be the way out.
func TestCompilingForAnotherSystemSaysWhatToDo(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64")
	out, err := cmd.CombinedOutput()
	if err == nil || strings.Count(string(out), "\n") != 2 || !strings.Contains(string(out), "env_u_GOOS_u_GOARCH_go_tool_mage") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// At each call the go command looks at every package of a tool, half a millisecond for each: this one has no more than packages os and strconv bring.
func TestNothingIsImportedThatTakesTime(t *testing.T) {
	for _, dir := range []string{".", "../madeof"} { // so that the result of before is not taken for this one's when a file has changed
		if _, err := os.ReadDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	brought := dependencies(t, "os", "strconv")
	for path := range dependencies(t, ".") {
		if !brought[path] && !strings.Contains(path, "/internal/tool/") {
			t.Errorf("%s is imported, which packages os and strconv do without: `go list -deps ./internal/tool/mage`", path)
		}
	}
}

// dependencies are packages and all that they import.
func dependencies(t *testing.T, paths ...string) map[string]bool {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps"}, paths...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		all[strings.TrimSpace(line)] = true
	}
	return all
}

// checkout has a tool that is kept and a go command, which say what they are called with.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":               "module x\n",
		"go.sum":               "",
		"magefiles/targets.go": "package main\n",
		"internal/x/x.go":      "package x\n",
		"below/it":             "",
		"out/mage/front":       "#!/bin/sh\necho \"kept: $*\"\nexit 3\n",
		"bin/go":               "#!/bin/sh\necho \"go: $*\"\nexit 4\n",
	} {
		write(t, filepath.Join(dir, path), text)
	}
	made, err := madeof.Fingerprint(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, madeof.Mark(dir), made)
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsKeptRunsUntilASourceChanges(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "mage")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for name, test := range map[string]struct {
		change, from, words string
		status              int
	}{
		"nothing changed":        {"", ".", "kept: __made-of MADE -l a b", 3},
		"a folder below":         {"", "below", "kept: __made-of MADE -l a b", 3},
		"a test changed":         {"internal/x/x_test.go", ".", "kept: __made-of MADE -l a b", 3},
		"a source changed":       {"internal/x/x.go", ".", "go: tool targets __made-of MADE -l a b", 4},
		"a source came":          {"internal/y/y.go", ".", "go: tool targets __made-of MADE -l a b", 4},
		"the module changed":     {"go.mod", ".", "go: tool targets __made-of MADE -l a b", 4},
		"the mark is of another": {"out/mage/front.made-of", ".", "go: tool targets __made-of MADE -l a b", 4},
		"it is for elsewhere":    {"out/mage/front", ".", "go: tool targets __made-of MADE -l a b", 4},
		"this is no checkout":    {"", "/", "go: tool targets -l a b", 4},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t)
			if test.change != "" {
				write(t, filepath.Join(dir, test.change), "other words")
			}
			made, err := madeof.Fingerprint(dir)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(tool, "-l", "a", "b")
			if cmd.Dir = filepath.Join(dir, test.from); test.from == "/" {
				cmd.Dir = "/"
			}
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
			out, _ := cmd.CombinedOutput()
			if want := strings.ReplaceAll(test.words, "MADE", made) + "\n"; string(out) != want || cmd.ProcessState.ExitCode() != test.status {
				t.Errorf("%d %q, want %q", cmd.ProcessState.ExitCode(), out, want)
			}
		})
	}
}
