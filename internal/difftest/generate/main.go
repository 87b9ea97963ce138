// Command generate writes the random programs of the differential tests from their seeds.
//
// It owns the shape of these programs. It must not know how they are built or compared.
package main

import (
	"fmt"
	"os"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/difftest"
)

func main() {
	if err := generate("../../recipes/difftest/seeds.txt", "../../recipes/difftest/cases/src/bin/random.rs"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	seeds, err := difftest.ReadSeeds(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return renameio.WriteFile(to, difftest.Program(seeds), 0o644)
}
