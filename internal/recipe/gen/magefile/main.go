// Command magefile writes the targets of the recipes: magefile ROOT. It is run by `go generate`.
//
// It owns nothing but its argument: package gen does the work.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/recipe/gen"
	"github.com/pannous/redox-clif/internal/releaseset"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: magefile ROOT")
		os.Exit(2)
	}
	changed, err := write(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range changed {
		fmt.Println("wrote", name)
	}
}

func write(root string) ([]string, error) {
	sets, err := releaseset.Load(filepath.Join(root, "toolchain"))
	if err != nil {
		return nil, err
	}
	return gen.Write(root, sets.Tables())
}
