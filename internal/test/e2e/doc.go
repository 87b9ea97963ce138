// Package e2e holds tests that run the compiled targets as a user does, with real compilers: builds that
// are killed, stopped, starved of disk and damaged have to leave a state from which the next one
// goes on to the same bytes.
//
// They take minutes and a toolchain, so they are opt-in: package wants has the variables.
//
// It owns what is done to a build from outside. It must not look inside of one: it knows the targets and the files they leave.
package e2e
