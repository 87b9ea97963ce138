package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// What is in the store was verified when it came. It is verified again each time its bytes are used, since a disk or somebody
// may have changed it: that costs a read of what is read anyhow. What is not what its name says goes, and comes again.

// DamagedError says that something in the store is not what its name says.
type DamagedError struct {
	What string // the source
	File string // in the store
	Err  error  // how it is known
}

func (e *DamagedError) Error() string {
	return "what is kept of " + e.What + " in " + e.File + " is damaged (" + e.Err.Error() + "): `mage fetch` with a network gets it again"
}

func (e *DamagedError) Unwrap() error { return e.Err }

// missing tells of a file in the store why it cannot be used: it is not there, or it is a *DamagedError. nil: it is whole.
func missing(file, what string, want digests) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &DamagedError{What: what, File: file, Err: errors.New("it is no file")}
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	err = want.check(what, in)
	var wrong *DigestError
	if errors.As(err, &wrong) {
		return &DamagedError{What: what, File: file, Err: errors.New("its " + wrong.Algorithm + " is " + wrong.Got)}
	}
	return err
}

// keep sees to it that the store has a whole file: get brings one that is not there, or not whole.
func (f *Fetcher) keep(ctx context.Context, file, what string, want digests, mayGet bool, get func() error) error {
	err := missing(file, what, want)
	if err == nil {
		return nil
	}
	if !mayGet {
		return offline(what, err)
	}
	return locked(ctx, file, func() error {
		err := missing(file, what, want)
		var damaged *DamagedError
		switch {
		case err == nil:
			return nil // another run got it while we waited
		case errors.As(err, &damaged):
			f.noticeDamage(damaged)
			if err := os.RemoveAll(file); err != nil {
				return err
			}
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		return get()
	})
}

// offline is the error of what cannot be used and may not be fetched.
func offline(what string, why error) error {
	if errors.Is(why, fs.ErrNotExist) {
		return &OfflineError{What: what}
	}
	return why
}

func (f *Fetcher) noticeDamage(d *DamagedError) {
	if f.Notice != nil {
		f.Notice("what was kept of " + d.What + " was damaged (" + d.Err.Error() + "); it is fetched again")
	}
}
