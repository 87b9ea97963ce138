package host

import "testing"

// TestLongDouble runs the tests of patches/relibc/long_double.rs as an ordinary crate. Its type needs a nightly's feature.
func TestLongDouble(t *testing.T) {
	t.Setenv("RUSTC_BOOTSTRAP", "1")
	out, err := cargo(t, "longdouble", t.TempDir(), "test", "--release", "--locked", "--offline")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mustContain(t, out, "a_double_comes_back ... ok", "others_are_rounded_to_the_nearest ... ok")
}
