// Package boottest is `mage test:boot`: it starts a guest for a boot test and prints what became of it.
//
// It owns how a test's machine and its copy of the image are made, and the report. It must not know what a test can say nor
// judge it by itself: package boottest below does.
package boottest
