// Package e2e holds tests that run the compiled targets as a user does, with real compilers: builds that
// are killed, stopped, starved of disk and damaged have to leave a state from which the next one
// goes on to the same bytes.
//
// They take minutes and a toolchain, so they are opt-in:
//
//	REDOX_TEST_E2E=1          turns them on
//	REDOX_TEST_CRANELIFT=DIR  builds with the toolchain in DIR in place of the pinned one
//	REDOX_TEST_SEED=DIR       starts from a copy of the cache DIR, to spare building the standard library
//	REDOX_TEST_KILLS=N        how many builds are killed (50)
//	REDOX_TEST_REPRO=1        also runs `mage repro`, which builds everything twice
package e2e
