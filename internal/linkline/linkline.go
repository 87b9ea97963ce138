// Package linkline has rustc's linker commands recorded, so that a program is linked apart from its compiling.
//
// It owns the recorder that stands in for the linker, what it writes, and how a line is made independent of the folder it
// was recorded in. It must not know how a step is run, where its files are kept, or which linker takes the line.
package linkline

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Recorder is a shell script to be rustc's linker. It ends well for whatever would have been linked.
//
//go:embed record.sh
var Recorder []byte

// Root stands for the exec root in what is kept of a line. It is action.Root: this package needs nothing, so that a worker's launcher,
// which has it, stays small.
const Root = "%{root}"

// RecorderName is the file name it must have: rustc takes hints on the linker's kind from names like ld, lld and link.
const RecorderName = "record"

// RecorderFolder is the folder of an exec root that has it.
const RecorderFolder = "recorder"

// Arguments stands, among the arguments of a recorded line, for those that are only known when it is linked.
const Arguments = "--arguments-of-the-step"

// The folders of an exec root in which a line is linked.
const (
	// InFolder holds the files of the line.
	InFolder = "in"
	// OutFolder is where the program comes to be.
	OutFolder = "out"
)

// LineName is the name of the file with the arguments of a program's line, where it is kept beside [InFolder].
const LineName = "line"

// Line is what a linker is to be given: its arguments, with paths below [Root], and the files that they name.
type Line struct {
	Args []string
	// Files says where each file of InFolder lies now, by its path there.
	Files map[string]string
}

// Encode is the form in which the arguments are kept.
func (l *Line) Encode() []byte { return []byte(strings.Join(l.Args, "\x00")) }

// DecodeArgs reads what Encode wrote. more takes the place of [Arguments].
func DecodeArgs(text []byte, more []string) ([]string, error) {
	args := strings.Split(string(text), "\x00")
	at := slices.Index(args, Arguments)
	if at < 0 {
		return nil, errors.New("rustc did not hand on the arguments of the step")
	}
	return slices.Replace(args, at, at+1, more...), nil
}

// Place is where a line is recorded and linked.
type Place struct {
	// Root is the exec root of the recording.
	Root string
	// Given are the folders of it that will be there when the line is linked: what is in them is no file of the line.
	Given []string
	// Output is the name that the program gets.
	Output string
}

// Read reads the recording that lies in a program's place.
func Read(program string, at Place) (*Line, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	fields := strings.Split(string(text), "\x00")
	if len(fields) < 3 || fields[len(fields)-1] != "" || !filepath.IsAbs(fields[0]) {
		return nil, fmt.Errorf("%s is no recording of a linker's arguments: rustc did not use the recorder", program)
	}
	r := &reader{Place: at, dir: fields[0], args: fields[1 : len(fields)-1], files: map[string]string{}, names: map[string]string{}}
	return r.read()
}
