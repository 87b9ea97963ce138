package session

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/diagnostic"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/github"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/terminal"
)

// Explain turns the failures of a build into one error that says for each the step, the first error
// line, how to repeat it, the log, and what to do when that is known.
func (s *Session) Explain(err error) error {
	var all *multierror.Error
	if !errors.As(err, &all) {
		return err
	}
	var b strings.Builder
	for _, e := range all.Errors {
		s.explainOne(&b, e)
	}
	return &BuildError{Text: strings.TrimRight(b.String(), "\n"), Count: len(all.Errors), Err: err}
}

// BuildError is the failures of a build, written out for people.
type BuildError struct {
	Text  string
	Count int
	Err   error
}

func (e *BuildError) Error() string {
	if e.Count == 1 {
		return e.Text
	}
	return fmt.Sprintf("%d steps failed\n%s", e.Count, e.Text)
}

func (e *BuildError) Unwrap() error { return e.Err }

func (s *Session) explainOne(b *strings.Builder, err error) {
	var f *graph.Failure
	if !errors.As(err, &f) {
		fmt.Fprintln(b, err)
		return
	}
	fmt.Fprintf(b, "%s failed: %s\n", f.Node, s.Relative(f.Err.Error()))
	var cmd *execroot.CommandError
	if errors.As(f.Err, &cmd) {
		s.quote(b, cmd)
	}
	if cmd != nil && cmd.Script != "" {
		fmt.Fprintf(b, "  repeat: sh %s\n", s.Relative(cmd.Script))
	}
	if f.Log != "" {
		fmt.Fprintf(b, "  log:    %s\n", s.Relative(f.Log))
	}
	hint := Hint(f.Err.Error())
	if s.Config.Offline && offlineMiss.MatchString(f.Err.Error()) && !missingPath.MatchString(f.Err.Error()) {
		hint = "offline, cargo knows only what was fetched before: `mage fetch` gets everything while the network may be used"
	}
	if hint != "" {
		fmt.Fprintf(b, "%s%s\n", hintMark, hint)
	}
	if s.Config.GitHub {
		for _, a := range s.annotations(f, cmd) {
			fmt.Fprintln(b, a)
		}
	}
}

// quote writes the errors of a command down as its tool said them.
func (s *Session) quote(b *strings.Builder, cmd *execroot.CommandError) {
	for _, m := range cmd.Messages {
		fmt.Fprintf(b, "\n%s\n", s.shown(m).Text)
	}
	if cmd.More > 0 {
		fmt.Fprintf(b, "\n%d more errors are in the log\n", cmd.More)
	}
	if len(cmd.Messages) > 0 {
		fmt.Fprintln(b)
	}
}

// shown is a message with the paths that a person uses, in colours where they are seen.
func (s *Session) shown(m diagnostic.Message) diagnostic.Message {
	m = m.Rename(s.Relative)
	if !s.ShowsColours() {
		m.Text = terminal.WithoutColours(m.Text)
	}
	return m
}

// annotations are what GitHub shows of a failed step: each error at its line, where that is a file of the checkout.
func (s *Session) annotations(f *graph.Failure, cmd *execroot.CommandError) []github.Annotation {
	step := github.Annotation{Kind: "error", Title: f.Node + " failed", Text: errs.FirstLine(f.Err.Error())}
	if cmd == nil || len(cmd.Messages) == 0 {
		return []github.Annotation{step}
	}
	var all []github.Annotation
	for _, m := range cmd.Messages {
		a := step
		a.Text = terminal.WithoutColours(m.Rename(s.Relative).Text)
		if at := s.Relative(m.Place.File); at != "" && !filepath.IsAbs(at) {
			a.File, a.Line, a.Col = filepath.ToSlash(at), m.Place.Line, m.Place.Col
		}
		all = append(all, a)
	}
	return all
}

// Relative is a path as people read it: below the checkout without the checkout.
func (s *Session) Relative(path string) string {
	return strings.TrimPrefix(path, s.Config.Root+"/")
}

// RootCause takes the name of the step off an error.
func RootCause(err error) error {
	if f := (*graph.Failure)(nil); errors.As(err, &f) {
		return f.Err
	}
	return err
}
