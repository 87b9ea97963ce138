// Package errs says lists of errors in as many words as they need.
//
// It owns how several errors are written and how one is taken out of a list of one. It must not know what
// any error is about.
package errs

import (
	"strings"

	"github.com/hashicorp/go-multierror"
)

// One is nil for none, a single error as it is, and several as a list.
func One(err error) error {
	all, ok := err.(*multierror.Error)
	if !ok {
		return err
	}
	if all != nil && len(all.Errors) == 1 {
		return all.Errors[0]
	}
	return all.ErrorOrNil()
}

// Lines lists errors, each on lines of its own: the ErrorFormat of a list whose members stand for themselves.
func Lines(all []error) string {
	texts := make([]string, len(all))
	for i, err := range all {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n")
}

// FirstLine is the text before the first line end: of a compiler's words, or of an error that goes into a table.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
