// Package initfs is `mage initfs`, `mage initfs:*`, `mage demo`, `mage boot` and `mage purity`: initfs images built, looked into,
// changed and booted.
//
// It owns the flags' meaning and the words. It must not know the image's format (package initfs) nor what the smoke
// kernel expects (package smoke).
package initfs
