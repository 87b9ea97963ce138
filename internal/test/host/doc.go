// Package host holds the tests of our patches and our Rust code that run on the host, with the
// sources they change.
//
// It owns no code of the build: only tests. They are left out unless a source is given, since they
// need a checkout of upstream and a Rust compiler for the host:
//
//	REDOX_SOURCE_REDOXFS=DIR REDOX_SOURCE_ION=DIR go test ./internal/test/host
//
// The folders are unpatched checkouts of the commits that the recipes name; they are copied, never
// changed. A test that needs no source of others runs whenever there is a cargo.
package host
