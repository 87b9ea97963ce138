package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/remote"
	"github.com/pannous/redox-clif/internal/remote/remotetest"
)

var launcher = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "launch")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "launch")
	cmd := exec.Command("go", "build", "-o", file, "./launch")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := launcher(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// newFarm is the workers of a server that runs commands in folders of this machine. The toolchain is one tool, a shell script.
func newFarm(t *testing.T, tool string, edit func(*Settings), do remotetest.Worker) (*Farm, *cas.Store, *[]string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "toolchain/bin/tool")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+tool), 0o755); err != nil {
		t.Fatal(err)
	}
	store, err := cas.Open(filepath.Join(dir, "cas"))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	server := remotetest.Start(t, remotetest.Faults{Worker: do})
	client, err := remote.New(remote.Config{Address: server.Address, Executor: server.Address, Accept: true}, store, func(line string) { said = append(said, line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(context.Background()) })
	t.Cleanup(store.Use(t.Context(), client))
	s := Settings{
		Client: client, Store: store, Words: map[string]string{"%{cargo}": path, "%{clang}": "/usr/bin/clang"}, Dir: filepath.Join(dir, "toolchain"),
		Toolchain: func(context.Context) (map[string]string, error) { return map[string]string{"bin/tool": path}, nil },
		Launcher:  func(context.Context) (string, error) { return launcher() },
		Stats:     filepath.Join(dir, "stats"), Notice: func(line string) { said = append(said, line) },
	}
	if edit != nil {
		edit(&s)
	}
	return New(t.Context(), s), store, &said
}

func inputs(t *testing.T, store *cas.Store, files map[string]string) cas.Digest {
	t.Helper()
	tree := cas.NewTree()
	for name, text := range files {
		d, err := store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tree.Entries[name] = cas.Entry{Digest: d}
	}
	root, err := store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func read(t *testing.T, store *cas.Store, done *remote.Done, name string) string {
	t.Helper()
	text, err := store.ReadAll(done.Outputs.Entries[name].Digest)
	if err != nil {
		t.Errorf("%s: %v, of %v", name, err, done.Outputs.Entries)
	}
	return string(text)
}

// Arguments and variables name the folder, its files and the tools as they are on the worker; what the command says names the folder by its word.
func TestAWorkerSeesItsOwnPaths(t *testing.T) {
	farm, store, said := newFarm(t, `test "$1" = "$PWD/src" && test "$FOLDER" = "$PWD/home" && test -x "$2" || exit 9
cat src/text > out/copy; echo "$PWD/src/text:1: said" >&2; echo "no end"`, nil, remotetest.InFolder)
	a := &action.Action{
		Args: []string{"%{cargo}", "%{root}/src", "%{cargo}"}, Env: map[string]string{"PATH": "/usr/bin:/bin", "FOLDER": "%{root}/home"},
		Inputs: inputs(t, store, map[string]string{"src/text": "content"}), Outputs: []string{"out/copy"},
	}
	done, err := farm.Run(t.Context(), a, How{Name: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	if done.ExitCode != 0 || read(t, store, done, "out/copy") != "content" {
		t.Errorf("exit code %d: %s", done.ExitCode, done.Stderr)
	}
	if string(done.Stderr) != "%{root}/src/text:1: said\n" || string(done.Stdout) != "no end\n" {
		t.Errorf("it said %q and %q", done.Stderr, done.Stdout)
	}
	if len(*said) > 0 {
		t.Errorf("notices: %q", *said)
	}
}

// The line of a program is collected where it was recorded: nobody else can read the paths in it.
func TestTheLinesOfProgramsAreCollected(t *testing.T) {
	farm, store, _ := newFarm(t, `mkdir -p target/deps && echo library > target/deps/libx.rlib && echo object > target/deps/x.o &&
exec "$PWD/recorder/record" "$PWD/std/libcore.rlib" "$PWD/target/deps/x.o" "$PWD/target/deps/libx.rlib" -o target/program --arguments-of-the-step`, nil, remotetest.InFolder)
	a := &action.Action{
		Args: []string{"%{cargo}"}, Env: map[string]string{"PATH": "/usr/bin:/bin"}, Outputs: []string{"target/program"},
		Inputs: inputs(t, store, map[string]string{"recorder/record": "#!/bin/false\n", "std/libcore.rlib": "core"}),
	}
	done, err := farm.Run(t.Context(), a, How{Programs: []string{"target/program"}, Given: []string{"std"}})
	if err != nil || done.ExitCode != 0 {
		t.Fatalf("%v, %+v", err, done)
	}
	line := strings.Split(read(t, store, done, "program/"+linkline.LineName), "\x00")
	want := []string{"%{root}/std/libcore.rlib", "%{root}/in/x.o", "%{root}/in/libx.rlib", "-o", "%{root}/out/program", "--arguments-of-the-step"}
	if strings.Join(line, " ") != strings.Join(want, " ") {
		t.Errorf("the line is %q", line)
	}
	if read(t, store, done, "program/in/x.o") != "object\n" || read(t, store, done, "program/in/libx.rlib") != "library\n" {
		t.Errorf("outputs: %v", done.Outputs.Entries)
	}
}

func TestWhatAWorkerCannotDoIsDoneHere(t *testing.T) {
	code := func(n int32) remotetest.Worker {
		return func(context.Context, *remotetest.Server, *repb.Command, *repb.Digest) (*repb.ActionResult, error) {
			return &repb.ActionResult{ExitCode: n, StderrRaw: []byte("one\nthe last words\n"), ExecutionMetadata: &repb.ExecutedActionMetadata{Worker: "w7"}}, nil
		}
	}
	for name, c := range map[string]struct {
		arg string
		do  remotetest.Worker
		how How
		why string
	}{
		"a tool that it does not have":   {"%{clang}", remotetest.InFolder, How{}, "does not have %{clang}"},
		"a loader that it does not have": {"%{cargo}", code(127), How{}, "the worker w7 could not run a command (exit code 127): the last words"},
		"no memory":                      {"%{cargo}", code(137), How{}, "exit code 137"},
		"no C compiler":                  {"%{cargo}", code(1), How{NeedsCC: func() (bool, error) { return true, nil }}, "no C compiler"},
	} {
		t.Run(name, func(t *testing.T) {
			farm, store, said := newFarm(t, "", nil, c.do)
			a := &action.Action{Args: []string{c.arg}, Inputs: inputs(t, store, nil)}
			var unavailable *remote.UnavailableError
			for range 2 {
				if _, err := farm.Run(t.Context(), a, c.how); !errors.As(err, &unavailable) || !strings.Contains(err.Error(), c.why) {
					t.Fatalf("got %v", err)
				}
			}
			if len(*said) != 1 || !strings.Contains((*said)[0], c.why) {
				t.Errorf("notices: %q", *said)
			}
			farm.NoFallback = true
			if _, err := farm.Run(t.Context(), a, c.how); errors.As(err, &unavailable) || !strings.Contains(err.Error(), "REDOX_REMOTE_LOCAL_FALLBACK") {
				t.Errorf("without a fallback: %v", err)
			}
		})
	}
}

// Its exit code is the command's, and no worker is to blame.
func TestACommandThatFailsHasFailed(t *testing.T) {
	farm, store, said := newFarm(t, "echo 'error: no' >&2; exit 3", nil, remotetest.InFolder)
	done, err := farm.Run(t.Context(), &action.Action{Args: []string{"%{cargo}"}, Env: map[string]string{"PATH": "/bin"}, Inputs: inputs(t, store, nil)}, How{})
	if err != nil || done.ExitCode != 3 || string(done.Stderr) != "error: no\n" || len(*said) > 0 {
		t.Errorf("%+v, %v, %q", done, err, *said)
	}
}

// Whatever a program of this machine needs of the system is found, with the dynamic linker.
func TestTheSystemsLibrariesGoAlong(t *testing.T) {
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("there is no /bin/sh")
	}
	found := systemLibraries(map[string]string{"bin/sh": sh})
	libc, linker := false, false
	for at, file := range found {
		libc = libc || strings.HasPrefix(filepath.Base(at), "libc.so")
		linker = linker || strings.HasPrefix(filepath.Base(at), "ld-")
		if _, err := os.Stat(file); err != nil || filepath.IsAbs(at) {
			t.Errorf("%s: %s, %v", at, file, err)
		}
	}
	if !libc || !linker {
		t.Errorf("found %v", found)
	}
	if linkline.Root != action.Root {
		t.Errorf("two words for one folder: %s, %s", linkline.Root, action.Root)
	}
}
