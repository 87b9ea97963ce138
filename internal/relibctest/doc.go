// Package relibctest judges relibc's own tests, run with a C library by one backend and by the other.
//
// It owns the lines of recipes/relibc-tests-runner, what is run in which order, the list of what is known of tests
// (recipes/relibc-tests/known.toml) and the verdicts. It must not know how programs are built or a guest is
// booted. That a test has to end with status 0, and print what expected/ has where it has anything, is what upstream's own
// runner asks (tests/src/main.rs in relibc).
package relibctest
