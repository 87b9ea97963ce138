// Package recipe is `mage recipe:*`, `mage plan`, `mage why` and `mage graph`: one recipe built, listed, locked, explained,
// imported.
//
// It owns the words and pictures. It must not know what a step runs (package builder) nor when (package graph).
package recipe
