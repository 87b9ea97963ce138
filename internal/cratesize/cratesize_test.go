package cratesize

import (
	"os"
	"strings"
	"testing"
)

func TestTheCrateOfASymbol(t *testing.T) {
	for symbol, want := range map[string]string{
		"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE":                                                  "core",
		"_ZN58_$LT$alloc..string..String$u20$as$u20$core..fmt..Write$GT$9write_str17h0123456789abcdefE":   "alloc",
		"_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE":                         "core",
		"_ZN64_$LT$$RF$mut$u20$std..io..Cursor$u20$as$u20$core..fmt..Write$GT$5write17h0123456789abcdefE": "std",
		"_RNvCsgStHSCytQ6I_7mycrate3foo":                                                                  "mycrate",
		"_RNvXs_Cs4fqI2P2rA04_9pcid_confNtB4_3BarNtB4_3Foo3foo":                                           "pcid_conf",
		"memcpy":       Exported,
		"__rust_alloc": Exported,
	} {
		if got := crateOf(symbol); got != want {
			t.Errorf("%s is of %s, want %s", symbol, got, want)
		}
	}
}

// The programs of package symbolise's tests have little but the crate itself and what of core was not inlined.
func TestSizesOfAProgram(t *testing.T) {
	for _, name := range []string{"crash.llvm.elf", "crash.cranelift.elf"} {
		f, err := os.Open("../symbolise/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		sizes, err := Of(f)
		if err != nil || sizes["crash"] == 0 {
			t.Errorf("%s: %v, %v", name, sizes, err)
		}
		var sum int64
		for _, n := range sizes {
			sum += n
		}
		if sum > info.Size() {
			t.Errorf("%s: %d bytes in a file of %d", name, sum, info.Size())
		}
	}
}

func TestWhatIsNoProgramIsAnError(t *testing.T) {
	if _, err := Of(strings.NewReader("no ELF")); err == nil {
		t.Error("nonsense has sizes")
	}
}
