// Package diskbuild builds disk images from descriptions and opens those that exist, with everything that has to be built
// for it: it is what package disk needs a session for.
//
// It owns what a reference in a description leads to, the tool that reads and writes RedoxFS and packages laid into an
// image. It must not know the partition table (package disk) nor the file system (package redoxfs).
package diskbuild
