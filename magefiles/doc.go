//go:build mage

// redox-clif builds Redox OS user space in pure Rust. Begin: go tool mage demo
package main

// Each target reads its flags, calls one function of package session and returns its error: what
// a target does is written there.
