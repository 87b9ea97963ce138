package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pannous/redox-clif/internal/process"
)

// NoSandboxError says why no sandbox works on this host.
type NoSandboxError struct {
	// Tried are the ways with what was wrong with each.
	Tried []string
	// Cause is what the host says of itself where that is known.
	Cause Cause
}

// Cause is a known reason for which a host gives no namespaces.
type Cause struct {
	Setting string // "kernel.apparmor_restrict_unprivileged_userns", "" when it is not known
	Want    string // the value that allows them
}

func (e *NoSandboxError) Error() string {
	return "REDOX_SANDBOX=require, and no sandbox works here: " + e.short()
}

func (e *NoSandboxError) short() string {
	text := strings.Join(e.Tried, "; ")
	if e.Cause.Setting != "" {
		text += fmt.Sprintf("; %s has to be %s", e.Cause.Setting, e.Cause.Want)
	}
	return text + " (`mage doctor` says what helps)"
}

// State is what a host has, for a report.
type State struct {
	// Way is how a sandbox is enforced, "" when none works; then Problem says why.
	Way     string
	Problem *NoSandboxError
	// Fence says that what fetches has one.
	Fence bool
}

// Probe tries what a build would use, whatever the mode is.
func (b *Sandbox) Probe(ctx context.Context) (State, error) {
	var err error
	if b.base, err = newLayout(systemFolders, b.s.Hidden); err != nil {
		return State{}, err
	}
	found, problem := b.find(ctx)
	if found == nil {
		return State{Problem: problem, Fence: b.fences()}, nil
	}
	return State{Way: found.name(), Fence: b.fences()}, nil
}

// find tries the ways of this system, the best first.
func (b *Sandbox) find(ctx context.Context) (way, *NoSandboxError) {
	problem := &NoSandboxError{}
	for _, w := range b.ways(problem) {
		err := b.try(ctx, w)
		if err == nil {
			return w, nil
		}
		problem.Tried = append(problem.Tried, fmt.Sprintf("%s: %v", w.name(), err))
	}
	problem.Cause = causeOf(os.DirFS("/"))
	return nil, problem
}

// try runs a program that does nothing, as every other one is run.
func (b *Sandbox) try(ctx context.Context, w way) error {
	v, err := b.view(Access{}, "/", "")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	p, err := w.confine(process.Process{Args: []string{"/bin/sh", "-c", "exit 0"}, Dir: "/", Output: &out}, v)
	if err != nil {
		return err
	}
	err = process.Exec(ctx, p)
	if text := strings.TrimSpace(out.String()); err != nil && text != "" {
		return errors.New(text)
	}
	return err
}
