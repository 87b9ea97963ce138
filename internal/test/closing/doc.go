// Package closing holds what is written to being closed by hand: a disk may say only then that it is full.
//
// It owns one rule that errcheck, which .golangci.yml lets pass over `defer f.Close()`, cannot have: it does not know what a file was
// opened for. Who opened it for reading may close it so; a writer's close is asked for its error, or it is said why not. It must not
// know what any package does.
package closing
