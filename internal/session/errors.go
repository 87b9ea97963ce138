package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/github"
	"github.com/pannous/redox-clif/internal/graph"
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
	fmt.Fprintf(b, "%s failed: %v\n", f.Node, f.Err)
	var cmd *execroot.CommandError
	if errors.As(f.Err, &cmd) && cmd.Script != "" {
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
		fmt.Fprintln(b, github.Annotation{Kind: "error", Title: f.Node + " failed", Text: errs.FirstLine(f.Err.Error())})
	}
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
