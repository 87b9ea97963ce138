package sandbox

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// A Fence is around a program that fetches: what the other side sends it can make it write nowhere but into folders that are named. It
// sees what its user sees and has the network: the settings and credentials by which it fetches may be anywhere.
//
// It is no namespace: ssh refuses a configuration with an included file of root's, which in a user namespace seems to be nobody's. It is Linux's
// Landlock; where that is not, there is none.
type Fence func(args []string) []string

// fenceWord is the first on the command line of a program that is to put a fence around itself.
const fenceWord = "redox-clif-fence"

// fenced is what that process is told.
type fenced struct {
	// Writable are folders. They are made when they are not there.
	Writable []string `json:"writable"`
}

// Fence returns the fence that lets a program write to folders, and to devices without a machine behind them. It is the identity where
// there is none.
func (b *Sandbox) Fence(writable ...string) Fence {
	if b == nil || b.s.Mode == Off {
		return func(args []string) []string { return args }
	}
	return func(args []string) []string {
		return b.fence(fenced{Writable: writable}, args)
	}
}

// fences tells whether there is one on this host.
func (b *Sandbox) fences() bool {
	args := []string{"git"}
	return len(b.Fence()(args)) > len(args)
}

// args are the command line by which this program puts a fence around itself and becomes another.
func (f fenced) args(self string, args []string) []string {
	text, err := json.Marshal(f)
	if err != nil {
		return args
	}
	return append([]string{self, fenceWord, string(text)}, args...)
}

// places are the folders, made where they are not there, without links on the way.
func (f fenced) places() ([]string, error) {
	var all []string
	for _, dir := range f.Writable {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, real)
	}
	return all, nil
}
