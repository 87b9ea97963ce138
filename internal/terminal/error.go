package terminal

// Error is an error whose text may be printed: what tools and files say is often a part of it.
func Error(err error) error {
	if err == nil || isClean(err.Error()) {
		return err
	}
	return cleaned{err}
}

type cleaned struct{ error }

func (c cleaned) Error() string { return Clean(c.error.Error()) }

func (c cleaned) Unwrap() error { return c.error }
