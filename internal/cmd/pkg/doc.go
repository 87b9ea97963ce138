// Package pkg is `mage pkg:*`: archives, repositories, and packages installed in folders and images.
//
// It owns the flags' meaning, keys' files and the words. It must not know the archive's format (package pkgar) nor the
// repository's (package pkgrepo).
package pkg
