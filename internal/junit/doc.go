// Package junit writes the parts of JUnit's XML that CI systems read.
//
// It owns the form of the file, and that none of an earlier run is left when a run ends early. It must not know what the
// cases are about.
package junit
