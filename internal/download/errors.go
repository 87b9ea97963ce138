package download

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
)

// Errors that callers tell apart.
var (
	// ErrNotFound: a location has no such file.
	ErrNotFound = errors.New("not found")
	// ErrStalled: a server sent nothing for too long.
	ErrStalled = errors.New("server stalled")
)

// StatusError is an answer that is no file. With the codes 404 and 410 it is ErrNotFound.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	if e.Is(ErrNotFound) {
		return fmt.Sprintf("%v (%d)", ErrNotFound, e.Code)
	}
	return fmt.Sprintf("server answers %d %s", e.Code, http.StatusText(e.Code))
}

// Is makes errors.Is(err, ErrNotFound) hold.
func (e *StatusError) Is(target error) bool {
	return target == ErrNotFound && (e.Code == http.StatusNotFound || e.Code == http.StatusGone)
}

// finalError is a failure that stays the same when the location is asked again.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func final(err error) error { return &finalError{err} }

// temporary reports whether asking again may help.
func temporary(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code >= 500 || status.Code == http.StatusTooManyRequests || status.Code == http.StatusRequestTimeout
	}
	return !errors.Is(err, ErrNotFound) && !errors.As(err, new(*finalError)) && !errors.As(err, new(*fs.PathError))
}
