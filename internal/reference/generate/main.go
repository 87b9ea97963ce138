// Command generate writes the reference pages, the schemas and .taplo.toml of a checkout: generate ROOT. It is run by `go generate`.
// It owns nothing but its command line.
package main

import (
	"fmt"
	"os"

	"github.com/pannous/redox-clif/internal/reference"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate ROOT")
		os.Exit(2)
	}
	if err := reference.Write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
