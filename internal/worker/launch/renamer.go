package main

import (
	"bytes"
	"io"
	"strings"

	"github.com/pannous/redox-clif/internal/linkline"
)

// renamer passes output on line by line with the word for a folder in place of its name, so that whoever reads it elsewhere can say what
// it is there.
type renamer struct {
	w      io.Writer
	rename *strings.Replacer
	rest   []byte
}

// longest bounds what is kept of a line that does not end, in bytes.
const longest = 64 << 10

func newRenamer(w io.Writer, folder string) *renamer {
	return &renamer{w: w, rename: strings.NewReplacer(folder+"/", linkline.Root+"/")}
}

// Write implements io.Writer.
func (r *renamer) Write(p []byte) (int, error) {
	r.rest = append(r.rest, p...)
	end := bytes.LastIndexByte(r.rest, '\n') + 1
	if end == 0 && len(r.rest) > longest {
		end = len(r.rest)
	}
	if end == 0 {
		return len(p), nil
	}
	text := r.rename.Replace(string(r.rest[:end]))
	r.rest = append(r.rest[:0], r.rest[end:]...)
	_, err := io.WriteString(r.w, text)
	return len(p), err
}

// flush passes on what is left.
func (r *renamer) flush() error {
	_, err := io.WriteString(r.w, r.rename.Replace(string(r.rest)))
	r.rest = nil
	return err
}
