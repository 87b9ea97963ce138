package pkgar

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrSignature: the header is not signed by the key it has to be signed by.
	ErrSignature = errors.New("signature does not match")
	// ErrWrongKey: the header names another public key than the expected one.
	ErrWrongKey = errors.New("signed with another key")
	// ErrNoKey: no key to verify with was given and Insecure was not set.
	ErrNoKey = errors.New("no public key to verify with")
	// ErrHash: data does not have the BLAKE3 hash that the archive states.
	ErrHash = errors.New("hash does not match")
	// ErrTruncated: the archive ends early.
	ErrTruncated = errors.New("archive is truncated")
	// ErrNotFresh: an unverified archive may be extracted to a new or empty folder only.
	ErrNotFresh = errors.New("unverified archive needs a new or empty folder")
	// ErrPassphrase: a secret key could not be decrypted with the passphrase.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrNeedPassphrase: a secret key is encrypted and there is no passphrase.
	ErrNeedPassphrase = errors.New("secret key is encrypted, a passphrase is needed")
)

// FormatError names the field that is wrong and where it is.
type FormatError struct {
	Field   string // for example "header count" or "entry 3 (usr/bin/ls) mode"
	Offset  int64  // of the field, in bytes from the start of the archive
	Problem string
	Err     error // one of the errors above, or the failure of reading, or nil
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s at byte %#x: %s", e.Field, e.Offset, e.Problem)
}

func (e *FormatError) Unwrap() error { return e.Err }
