// Package difftest compares what the same programs print when two backends compiled them.
//
// It owns the form of the lines (see recipes/difftest), the comparison case by case, the list of known differences, what a run
// comes to, and the generator of random programs. It must not know how the programs are built or booted.
package difftest

//go:generate go run ./generate
