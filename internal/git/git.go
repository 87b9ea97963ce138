// Package git runs the git program on repositories that are named, never found.
//
// It owns what git finds around it (the repository it is given, the user's settings for how to fetch, no prompt) and
// how its complaints become an error that keeps the remedy git names. It must not know what is fetched or why, nor
// read the environment.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/process"
)

// Git is a git program and the environment it gets.
type Git struct {
	Program string   // "" is "git"
	Env     []string // the whole environment; how to fetch is the user's business
	// Fence, when it is set, is the command line by which git runs where it can write only what it has to.
	Fence func(args []string) []string
}

// Error is a git that ran and failed.
type Error struct {
	Command string // "fetch"
	Message string // all that git and the other side wrote to standard error
	err     error
}

// Error is git's complaint with its remedy.
func (e *Error) Error() string { return fmt.Sprintf("git %s: %s", e.Command, Explanation(e.Message)) }

func (e *Error) Unwrap() error { return e.err }

// Run returns what a command prints, without the last line end. repo is a bare repository, or "" for a command that
// needs none. A git that fails is an *Error.
func (g Git) Run(ctx context.Context, repo string, args ...string) (string, error) {
	cmd := g.Command(ctx, repo, args...)
	var out bytes.Buffer
	var problems process.Excerpt // the other side may say what it likes
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &Error{Command: args[0], Message: problems.String(), err: err}
	}
	return strings.TrimSpace(out.String()), err
}

// Refs asks the repository at url for the object ids of those of its refs that have one of the names, by their full names.
func (g Git) Refs(ctx context.Context, url string, names ...string) (map[string]string, error) {
	out, err := g.Run(ctx, "", append([]string{"ls-remote", "--quiet", "--", url}, names...)...)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		if id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			refs[name] = id
		}
	}
	return refs, nil
}

// Command is the same, not yet started.
func (g Git) Command(ctx context.Context, repo string, args ...string) *exec.Cmd {
	program := g.Program
	if program == "" {
		program = "git"
	}
	all := []string{
		"-c", "gc.auto=0", "-c", "maintenance.auto=false", // in the background they would outlive us and the caller's lock
		"-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60", // bytes a second and seconds: a host that hangs
	}
	if repo != "" {
		// A bare repository that git has to find is refused under safe.bareRepository=explicit, the default from git 3.0 on.
		all = append(all, "--git-dir="+repo)
	}
	cmd := g.fenced(ctx, program, append(all, args...))
	cmd.Dir = repo
	if repo == "" {
		cmd.Dir = "/" // the repository around the caller has no say
	}
	cmd.Env = append(withoutRepository(g.Env), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	cmd.WaitDelay = 5 * time.Second // a transport helper may hold the pipe after a cancel
	return cmd
}

// fenced is git's command. One that is not there is not looked for inside of the fence.
func (g Git) fenced(ctx context.Context, program string, args []string) *exec.Cmd {
	path, err := exec.LookPath(program)
	if err != nil || g.Fence == nil {
		return exec.CommandContext(ctx, program, args...)
	}
	args = g.Fence(append([]string{path}, args...))
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// withoutRepository drops the variables by which a surrounding git command (a hook, a rebase) would redirect ours to
// another repository: those of `git rev-parse --local-env-vars` that are not settings.
func withoutRepository(env []string) []string {
	var kept []string
	for _, v := range env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
			"GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

// Setting is one line of git's configuration.
type Setting struct{ Key, Value string }

// WithSettings is an environment by which every git below it has the settings, after those that the environment
// gives already.
func WithSettings(env []string, settings ...Setting) []string {
	const counter = "GIT_CONFIG_COUNT="
	var out []string
	count := 0
	for _, v := range env {
		if text, ok := strings.CutPrefix(v, counter); ok {
			count, _ = strconv.Atoi(text) // git itself complains of what is no number
			continue
		}
		out = append(out, v)
	}
	for _, s := range settings {
		out = append(out, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", count, s.Key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", count, s.Value))
		count++
	}
	return append(out, counter+strconv.Itoa(count))
}

// generic are the lines that git adds whatever the matter was; they stand for a message when there is nothing else.
var generic = map[string]bool{
	"Could not read from remote repository.":                          true,
	"Please make sure you have the correct access rights":             true,
	"and the repository exists.":                                      true,
	"the remote end hung up unexpectedly":                             true,
	"The remote end hung up unexpectedly":                             true,
	"early EOF":                                                       true,
	"fetch-pack: unexpected disconnect while reading sideband packet": true,
}

// Explanation is git's message without what says nothing, for an error: the cause in the first line, then what git or
// the other side says to do about it, each on a line of its own.
func Explanation(message string) string {
	var lines, fillers []string
	for line := range strings.Lines(message) {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{"fatal: ", "error: ", "hint: "} {
			line = strings.TrimPrefix(line, prefix)
		}
		switch {
		case line == "" || line == "hint:" || line == "remote:":
		case generic[line]:
			fillers = append(fillers, line)
		default:
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		lines = fillers
	}
	if len(lines) > maxLines {
		lines = append(lines[:maxLines], "…")
	}
	return strings.Join(lines, "\n    ")
}

// maxLines of an explanation: the longest of git's own, of a host key that has changed, has 13.
const maxLines = 16
