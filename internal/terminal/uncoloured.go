package terminal

import (
	"io"
	"regexp"
	"strings"
)

var (
	anyColour = regexp.MustCompile(`\x1b\[[0-9;:]*m`)
	// begunColour may become one by what is written next.
	begunColour = regexp.MustCompile(`\x1b(\[[0-9;:]{0,30})?$`)
)

// Uncoloured passes text on without its colours, and everything else as it is: for files, which are searched and compared. It may not be
// used by several goroutines at once.
type Uncoloured struct {
	to   io.Writer
	rest string // what may be the beginning of a colour
}

// NewUncoloured returns an Uncoloured that writes to w.
func NewUncoloured(w io.Writer) *Uncoloured { return &Uncoloured{to: w} }

// Write implements io.Writer.
func (u *Uncoloured) Write(p []byte) (int, error) {
	text := WithoutColours(u.rest + string(p))
	u.rest = begunColour.FindString(text)
	_, err := io.WriteString(u.to, strings.TrimSuffix(text, u.rest))
	return len(p), err
}

// Flush writes what was held back in case more would come.
func (u *Uncoloured) Flush() error {
	rest := u.rest
	u.rest = ""
	_, err := io.WriteString(u.to, rest)
	return err
}

// WithoutColours is text without its colours, and otherwise as it is.
func WithoutColours(text string) string {
	if !strings.Contains(text, "\x1b[") {
		return text
	}
	return anyColour.ReplaceAllString(text, "")
}
