package secretkey

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

// shown is a secret key as a program may print its file: the name of the value, and as many hexadecimal digits as one has. A part of a key is
// as bad as all of it.
var shown = regexp.MustCompile(`(?i)(skey["'\\]{0,4}\s{0,8}[=:,]?\s{0,8}["'\\]{0,4})[0-9a-f]{32,}`)

// begun is what may be the beginning of one at the end of what came so far: what follows decides.
var begun = regexp.MustCompile(`(?i)(?:s|sk|ske|skey["'\\]{0,4}\s{0,8}[=:,]?\s{0,8}["'\\]{0,4}[0-9a-f]{0,160})$`)

// tail is more than begun ever matches, in bytes.
const tail = 4 + 4 + 8 + 1 + 8 + 4 + 160

// Redactor passes on what is written to it, but for secret keys.
type Redactor struct {
	lock sync.Mutex
	to   io.WriteCloser
	held []byte
	err  error // the first of to
}

// Redact puts a Redactor before a log. Close closes the log as well.
func Redact(to io.WriteCloser) *Redactor { return &Redactor{to: to} }

// Write implements io.Writer. Little of what was written may be passed on only with the next.
func (r *Redactor) Write(p []byte) (int, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.held) == 0 && !bytes.ContainsAny(p, "sS") { // most of a log's digits and dots
		return len(p), r.pass(p)
	}
	text := append(r.held, p...)
	keep := len(text)
	if at := begun.FindIndex(text[max(0, len(text)-tail):]); at != nil {
		keep = max(0, len(text)-tail) + at[0]
	}
	r.held = append([]byte(nil), text[keep:]...)
	return len(p), r.pass(redacted(text[:keep]))
}

// pass writes to the log until that fails once.
func (r *Redactor) pass(text []byte) error {
	if r.err == nil {
		_, r.err = r.to.Write(text)
	}
	return r.err
}

func redacted(text []byte) []byte {
	if !bytes.Contains(bytes.ToLower(text), []byte("skey")) { // the expression takes longer
		return text
	}
	return shown.ReplaceAll(text, []byte("${1}(a secret key)"))
}

// Close passes on what is left and closes the log. Its error is the first of all that was written: who logs does not ask after each line.
func (r *Redactor) Close() error {
	r.lock.Lock()
	defer r.lock.Unlock()
	err := r.pass(redacted(r.held))
	r.held = nil
	if closeErr := r.to.Close(); err == nil {
		err = closeErr
	}
	return err
}
