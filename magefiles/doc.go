//go:build mage

// redox-clif builds Redox OS user space, images and packages with a pure-Rust toolchain. Begin with: go tool mage demo
package main

// Each target reads its flags, calls one function of package session and returns its error: what
// a target does is written there.
