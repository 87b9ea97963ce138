package host

import (
	"testing"
)

// TestCalc runs the tests of patches/ion/calc.rs as an ordinary crate.
func TestCalc(t *testing.T) {
	out, err := cargo(t, "calc", t.TempDir(), "test", "--release", "--locked", "--offline")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mustContain(t, out, "infix_agrees_with_the_reference ... ok", "polish_agrees_with_the_reference ... ok")
}
