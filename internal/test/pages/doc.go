// Package pages holds the documentation to what there is: commands, flags, variables, files and links on every page.
//
// It owns the marks behind the language of a code block. They are for this test; a reader does not see them.
//
//	console            commands behind "$ ", and what they printed: each target and flag has to be there
//	console run        they are run as well, in a small checkout of the page's own, and have to print this
//	console run e2e    the same with REDOX_TEST_E2E=1 only: they need a compiler
//	console run guest  the same with REDOX_TEST_GUEST=1 only: they build the real system, and boot it
//	console run fails  the last of them has to fail
//	toml file=PATH     PATH in that checkout; it has to be what a file at that place can be
//
// In what a command printed, "…" stands for anything: alone for lines, else within a line.
//
// It must not know what a target does.
package pages
