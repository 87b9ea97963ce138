//go:build mage

// Package main holds the targets. Each one reads its flags, calls one function of package
// session and returns its error: what a target does is written there.
package main
