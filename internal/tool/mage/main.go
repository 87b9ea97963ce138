// Command mage is Mage with four things this project needs of it; `go tool mage` runs it.
//
//   - Several runs in one checkout: Mage writes, compiles and removes magefiles/mage_output_file.go at every
//     call, and two calls at once break each other. Here that happens under a lock.
//   - Signals: a Ctrl-C reaches the targets once, see runChild.
//   - Optional words: Mage has only optional flags (see optionalNames).
//   - Quick starts and subfolders: targets are compiled only when a file they are made of has changed,
//     and the checkout is looked for upwards.
//
// It owns how the targets are compiled and started. It must not know any target but for that. What it does not know itself (-l, -h, -compile, …) is Mage's own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/magefile/mage/mage"

	"github.com/pannous/redox-clif/internal/lockfile"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	inv, cmd, err := mage.Parse(os.Stderr, os.Stdout, args)
	root, rootErr := findRoot(".")
	ours := err == nil && cmd == mage.None && inv.Dir == "" && inv.WorkDir == "" && !inv.Autocomplete && rootErr == nil
	if rootErr == nil && inv.Dir == "" {
		if err := os.Chdir(root); err != nil {
			return fail(err)
		}
	}
	if !ours || inv.List || inv.Help || len(inv.Args) == 0 {
		return withLock(root, func() int { return mage.ParseAndRun(os.Stdout, os.Stderr, os.Stdin, args) })
	}
	bin := filepath.Join(root, "out", "mage", "mage")
	code := withLock(root, func() int { return compile(inv, root, bin) })
	if code != 0 {
		return code
	}
	return runChild(targetArgs(bin, inv))
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "Error:", err)
	return 1
}

// findRoot walks up to the folder that has go.mod and magefiles.
func findRoot(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for ; ; at = filepath.Dir(at) {
		if exists(filepath.Join(at, "go.mod")) && exists(filepath.Join(at, "magefiles")) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", errors.New("no go.mod and magefiles above this folder")
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// withLock lets one call at a time write Mage's main file.
func withLock(root string, f func() int) int {
	if root == "" {
		return f()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lock, err := lockfile.Wait(ctx, filepath.Join(root, "out", "mage", ".lock"), func() {
		fmt.Fprintln(os.Stderr, "another run compiles the targets; waiting for it")
	})
	if err != nil {
		return fail(writable(err))
	}
	defer lock.Release()
	stop()
	return f()
}

// writable says what to do where the checkout is not ours or read-only.
func writable(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w\n  hint:   the targets are compiled in out/ of the checkout, which you may not write; out/ may be a link to where you may", err)
	}
	return err
}

// compile makes the binary of all targets unless it is newer than everything it is made of.
func compile(inv mage.Invocation, root, bin string) int {
	now, err := fingerprint(root)
	if err != nil {
		return fail(err)
	}
	mark := bin + ".made-of"
	if old, err := os.ReadFile(mark); err == nil && string(old) == now && exists(bin) && !inv.Force {
		return 0
	}
	_ = os.Remove(mark)
	code := mage.Invoke(mage.Invocation{
		CompileOut: bin, Force: true, Debug: inv.Debug, Keep: inv.Keep, GoCmd: inv.GoCmd, Multiline: inv.Multiline,
		Stdout: os.Stdout, Stderr: os.Stderr, Stdin: os.Stdin,
	})
	if code != 0 {
		return code
	}
	if err := os.WriteFile(mark, []byte(now), 0o644); err != nil {
		return fail(err)
	}
	return 0
}

// targetArgs is the command line of the compiled targets.
func targetArgs(bin string, inv mage.Invocation) []string {
	argv := []string{bin}
	if inv.Verbose {
		argv = append(argv, "-v")
	}
	if inv.Timeout > 0 {
		argv = append(argv, "-t", inv.Timeout.String())
	}
	return append(argv, namesAsFlags(inv.Args)...)
}

// optionalNames are the targets whose one word is optional, with the flag that takes it: to Mage a parameter that
// may be left out is a flag, and a word behind such a target is the next target.
var optionalNames = map[string]string{
	"toolchain:build": "-name=", "toolchain:pack": "-name=", "purity": "-of=",
	"plan": "-recipe=", "graph": "-recipe=", "repro": "-recipe=",
}

// namesAsFlags lets `toolchain:build NAME` be written like that.
func namesAsFlags(args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args[:max(len(args)-1, 0)] {
		flag, word := optionalNames[strings.ToLower(arg)], args[i+1]
		if flag != "" && !strings.HasPrefix(word, "-") && !strings.Contains(word, ":") {
			args[i+1] = flag + word
		}
	}
	return args
}
