// Command workflows runs the `run:` blocks of a workflow's job or of a composite action on this machine: each in order, in a clean copy of what is
// committed here, with the variables and files that a runner of GitHub's gives.
//
//	go run ./internal/test/workflows lint.yml/generated
//	go run ./internal/test/workflows -input=initfs=false -input=drift=off action
//
// It owns what is known of runners for that. It must not know what the blocks do. Steps that use actions of others are named and passed over: the
// checkout is there already, and nothing is kept or uploaded. Commands of GitHub's machines that a machine of one's own need not have (sudo, sysctl)
// do nothing but run what they are given, or nothing; -apt=false does so with apt-get too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// action is where our composite action is.
const action = ".github/actions/build"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "workflows:", err)
		os.Exit(1)
	}
}

// pairs is a flag that is given several times.
type pairs map[string]any

func (p pairs) String() string { return "" }

func (p pairs) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("want NAME=VALUE")
	}
	p[name] = value
	return nil
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("workflows", flag.ContinueOnError)
	inputs, matrix := pairs{}, pairs{}
	flags.Var(inputs, "input", "an input of the action or of workflow_dispatch")
	flags.Var(matrix, "matrix", "a value of the matrix")
	event := flags.String("event", "push", "the event: push, pull_request, schedule")
	list := flags.Bool("list", false, "only say what there is to run")
	apt := flags.Bool("apt", true, "let apt-get install")
	skip := flags.String("skip", "", "names of steps to pass over, with commas between")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("want one of: WORKFLOW.yml/JOB, action")
	}
	w := &world{inputs: inputs, matrix: matrix, event: *event, list: *list, apt: *apt, skip: strings.Split(*skip, ",")}
	return w.enter(ctx, flags.Arg(0))
}

// workflow is what is read of a workflow.
type workflow struct {
	Permissions map[string]string `yaml:"permissions"`
	Concurrency struct {
		Group string `yaml:"group"`
	} `yaml:"concurrency"`
	Env      map[string]string `yaml:"env"`
	Defaults struct {
		Run struct {
			Shell string `yaml:"shell"`
		} `yaml:"run"`
	} `yaml:"defaults"`
	Jobs map[string]struct {
		Env   map[string]string `yaml:"env"`
		Steps []step            `yaml:"steps"`
	} `yaml:"jobs"`
}

type step struct {
	Name  string            `yaml:"name"`
	ID    string            `yaml:"id"`
	If    string            `yaml:"if"`
	Uses  string            `yaml:"uses"`
	With  map[string]any    `yaml:"with"`
	Run   string            `yaml:"run"`
	Shell string            `yaml:"shell"`
	Env   map[string]string `yaml:"env"`
	Dir   string            `yaml:"working-directory"`
}

// composite is what is read of an action.
type composite struct {
	Inputs map[string]struct {
		Default string `yaml:"default"`
	} `yaml:"inputs"`
	Runs struct {
		Steps []step `yaml:"steps"`
	} `yaml:"runs"`
}

// world is a job that runs.
type world struct {
	inputs, matrix map[string]any
	event          string
	list, apt      bool
	skip           []string

	checkout, temp, tools string
	env                   map[string]string
	steps                 map[string]any // by id
	failed                bool
	depth                 int
	actionPath            string
	began                 time.Time
}

// enter makes the clean copy and runs what is asked for in it.
func (w *world) enter(ctx context.Context, what string) error {
	top, err := os.MkdirTemp("", "workflows-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)
	w.checkout, w.temp, w.tools = filepath.Join(top, "checkout"), filepath.Join(top, "temp"), filepath.Join(top, "tools")
	w.env, w.steps, w.began = map[string]string{}, map[string]any{}, time.Now()
	if err := errors.Join(os.MkdirAll(w.temp, 0o755), w.makeTools()); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "git", "clone", "--quiet", ".", w.checkout).CombinedOutput(); err != nil {
		return fmt.Errorf("git clone: %w: %s", err, out)
	}
	if what == "action" {
		err = w.runAction(ctx, w.inputs)
	} else {
		err = w.runJob(ctx, what)
	}
	if summary, readErr := os.ReadFile(filepath.Join(w.temp, "summary")); readErr == nil && len(summary) > 0 {
		fmt.Printf("== summary of the job, %d bytes\n%s", len(summary), summary)
	}
	if err == nil && w.failed {
		err = errors.New("a step failed")
	}
	return err
}

// makeTools stands in for what GitHub's machines have and others need not.
func (w *world) makeTools() error {
	if err := os.MkdirAll(w.tools, 0o755); err != nil {
		return err
	}
	tools := map[string]string{"sudo": `exec "$@"`, "sysctl": "exit 0"}
	if !w.apt {
		tools["apt-get"] = "exit 0"
	}
	for name, text := range tools {
		if err := os.WriteFile(filepath.Join(w.tools, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) runJob(ctx context.Context, what string) error {
	file, name, _ := strings.Cut(what, "/")
	text, err := os.ReadFile(filepath.Join(w.checkout, ".github", "workflows", file))
	if err != nil {
		return err
	}
	var f workflow
	if err := yaml.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	job, ok := f.Jobs[name]
	if !ok {
		return fmt.Errorf("%s has no job %q; it has %s", file, name, strings.Join(slices.Sorted(maps.Keys(f.Jobs)), ", "))
	}
	for _, env := range []map[string]string{f.Env, job.Env} {
		if err := w.setAll(w.env, env); err != nil {
			return err
		}
	}
	return w.runSteps(ctx, job.Steps, f.Defaults.Run.Shell)
}

func (w *world) runAction(ctx context.Context, given map[string]any) error {
	text, err := os.ReadFile(filepath.Join(w.checkout, action, "action.yml"))
	if err != nil {
		return err
	}
	var a composite
	if err := yaml.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	for name := range given {
		if _, ok := a.Inputs[name]; !ok {
			return fmt.Errorf("%s has no input %q", action, name)
		}
	}
	inputs := map[string]any{}
	for name, input := range a.Inputs {
		value, err := w.text(input.Default)
		if err != nil {
			return err
		}
		if v, ok := given[name]; ok {
			value = fmt.Sprint(v)
		}
		inputs[name] = value
	}
	inner := *w
	inner.inputs, inner.steps, inner.env, inner.actionPath, inner.depth = inputs, map[string]any{}, maps.Clone(w.env), filepath.Join(w.checkout, action), w.depth+1
	err = inner.runSteps(ctx, a.Runs.Steps, "")
	w.failed = w.failed || inner.failed
	return err
}

// runSteps runs steps in order. One that fails keeps those from running that do not ask to run after a failure.
func (w *world) runSteps(ctx context.Context, steps []step, shell string) error {
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		wanted, err := w.wanted(s)
		if err != nil {
			return fmt.Errorf("%s: if: %w", s.title(), err)
		}
		switch {
		case !wanted, slices.Contains(w.skip, s.Name) && s.Name != "":
			w.say("--", "%s: not run", s.title())
			continue
		case s.Uses == "$/"+action:
			with := map[string]any{}
			for name, value := range s.With {
				if with[name], err = w.text(fmt.Sprint(value)); err != nil {
					return err
				}
			}
			w.say("==", "%s", s.title())
			if err := w.runAction(ctx, with); err != nil {
				return err
			}
			continue
		case s.Uses != "":
			w.say("--", "%s: of others", s.title())
			continue
		}
		if err := w.runBlock(ctx, s, shell); err != nil {
			return err
		}
	}
	return nil
}

func (s step) title() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Uses != "":
		return s.Uses
	}
	first, _, _ := strings.Cut(s.Run, "\n")
	return first
}

func (w *world) say(mark, format string, args ...any) {
	fmt.Printf("%s %s%s [%.0fs]\n", mark, strings.Repeat("  ", w.depth), fmt.Sprintf(format, args...), time.Since(w.began).Seconds())
}

func (w *world) wanted(s step) (bool, error) {
	if s.If == "" {
		return !w.failed, nil
	}
	condition := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s.If), "${{"), "}}")
	v, err := evaluate(condition, w.lookup, w.call)
	asksForStatus := strings.Contains(condition, "always()") || strings.Contains(condition, "failure()")
	return truth(v) && (asksForStatus || !w.failed), err
}

// runBlock runs one block as a runner does: as a script of its own, with files for outputs and variables.
func (w *world) runBlock(ctx context.Context, s step, shell string) error {
	w.say("==", "%s", s.title())
	if s.Shell == "" && shell == "" || s.Shell != "" && s.Shell != "bash" {
		return fmt.Errorf("%s: shell %q, want bash", s.title(), s.Shell)
	}
	if strings.Contains(s.Run, "${{") {
		return fmt.Errorf("%s: an expression in a script is code for whoever writes its value: pass it by env", s.title())
	}
	if w.list {
		return nil
	}
	env := maps.Clone(w.env)
	if err := w.setAll(env, s.Env); err != nil {
		return err
	}
	files := map[string]string{"GITHUB_OUTPUT": "output", "GITHUB_ENV": "env", "GITHUB_PATH": "path", "GITHUB_STEP_SUMMARY": "summary"}
	for name, file := range files {
		env[name] = filepath.Join(w.temp, file)
		if file != "summary" {
			if err := os.WriteFile(env[name], nil, 0o644); err != nil {
				return err
			}
		}
	}
	maps.Copy(env, map[string]string{
		"PATH": w.tools + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_WORKSPACE": w.checkout, "GITHUB_EVENT_NAME": w.event,
		"RUNNER_TEMP": w.temp, "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "GITHUB_ACTION_PATH": w.actionPath,
	})
	script := filepath.Join(w.temp, "block.sh")
	if err := os.WriteFile(script, []byte(s.Run), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.checkout, os.Stdout, os.Stderr
	if dir, err := w.text(s.Dir); err != nil {
		return err
	} else if filepath.IsAbs(dir) {
		cmd.Dir = dir
	} else {
		cmd.Dir = filepath.Join(w.checkout, dir)
	}
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	err := cmd.Run()
	outputs, readErr := settings(env["GITHUB_OUTPUT"])
	changed, envErr := settings(env["GITHUB_ENV"])
	maps.Copy(w.env, changed)
	outcome := "success"
	if err != nil {
		w.failed, outcome = true, "failure"
		w.say("!!", "%s: %v", s.title(), err)
	}
	if s.ID != "" {
		w.steps[s.ID] = map[string]any{"outputs": asAny(outputs), "outcome": outcome}
	}
	return errors.Join(readErr, envErr, ctx.Err())
}

func asAny(values map[string]string) map[string]any {
	all := map[string]any{}
	for name, value := range values {
		all[name] = value
	}
	return all
}

// settings reads the NAME=VALUE lines that a block has left.
func settings(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			values[name] = value
		}
	}
	return values, err
}

func (w *world) setAll(env, values map[string]string) error {
	for name, value := range values {
		text, err := w.text(value)
		if err != nil {
			return fmt.Errorf("env %s: %w", name, err)
		}
		env[name] = text
	}
	return nil
}
