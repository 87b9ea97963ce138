// Package cache is `mage cache:*`: what is in the cache and how much of it, what may go, and whether it is whole.
//
// It owns the words and tables. It must not know how entries are laid out.
package cache
