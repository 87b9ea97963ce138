package sandbox

import (
	"encoding/json"
	"os"

	"github.com/pannous/redox-clif/internal/process"
)

// namespaces has this program itself be the first process of a sandbox: see [Main].
type namespaces struct{}

func (namespaces) name() string { return "namespaces" }

// word is the first on the command line of a program that is to be the first process of a sandbox.
const word = "redox-clif-sandbox"

// order is what that process is told.
type order struct {
	// Inside says that it is in the namespaces already.
	Inside bool    `json:"inside"`
	Places []place `json:"places"`
	Dir    string  `json:"dir"`
	// Files are how many descriptors the program inherits, from 3 on.
	Files int `json:"files"`
}

func (o order) args(self string, args []string) ([]string, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return append([]string{self, word, string(text)}, args...), nil
}

func (namespaces) confine(p process.Process, v view) (_ process.Process, err error) {
	// Not by its path: the file may have been replaced since.
	p.Args, err = order{Inside: true, Places: v.places, Dir: v.dir, Files: len(p.Files)}.args("/proc/self/exe", p.Args)
	p.Isolated = true
	return p, err
}

func (namespaces) script(v view, args []string) []string {
	self, err := os.Executable()
	if err != nil {
		return args
	}
	all, err := order{Places: v.places, Dir: v.dir}.args(self, args)
	if err != nil {
		return args
	}
	return all
}
