// Package boottest is `mage test:boot`: it starts a guest for a boot test and prints what became of it.
//
// It owns how a test's copy of the image is built, and the words. It must not know what a test can say nor judge it by
// itself: package boottest below session does.
package boottest
