// Package upstream builds the package tools of the crate registry for tests: what is written here has to be read there, and the
// other way round.
//
// It owns which versions those are (tools.toml, and client/Cargo.lock for the library of the system's own package manager, which
// has no program) and where they lie. It must not know what is tested with them.
//
// The tools are built once into a folder that stays, next to the cache of the other end-to-end tests, and only
// with REDOX_TEST_E2E=1: that takes a Rust compiler for this machine, the crate registry, and a minute or two.
package upstream
