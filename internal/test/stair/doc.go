// Package stair holds every package to the imports that it may have.
//
// It owns the list, testdata/stair.txt, which stands in the order of the stair: what a package imports stands above it. Whoever
// wants one more import adds it there by hand, after reading in the package's comment what it must not know. It must not
// know what any package does.
package stair
