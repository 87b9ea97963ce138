// Package image is `mage image` and `mage fetch`: everything brought here that builds and images need.
//
// It owns the words. It must not know how an image is put together (package diskbuild).
package image
