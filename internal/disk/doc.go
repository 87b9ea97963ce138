// Package disk builds disk images and changes them.
//
// It owns the partition table and the boot partition (layout.go), what a description in images/*.toml
// can say (describe.go, contents.go), and how an image that exists is changed: never in
// place. A change is made in a copy beside it, verified, and renamed over it, so that at every moment the image is
// either old or new. It must not know RedoxFS's format (package redoxfs does, by the tool), how recipes
// are built, or QEMU's command line.
//
// Sources of the facts here: the layout is what Redox's own installer writes and its boot
// loader finds; the text formats of users and groups are those of the crate redox_users.
package disk
