//go:build mage

package main

import (
	"os"

	"github.com/pannous/redox-clif/internal/sandbox"
)

// A step's sandbox may begin as this very program. Mage writes the function main, so that the command line has to be looked at
// before that is called.
var _ = sandbox.Main(os.Args)
