package symbolise

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A user's exception as the Redox kernel prints it: registers, the user's stack, the kernel's, and then the program's name.
const redoxException = `
thread 'main' (1) panicked at drivers/graphics/fbcond/src/display.rs:27:64:
kernel::arch::aarch64::interrupt::exception:ERROR -- FATAL: Not an SVC induced synchronous exception (ty=111100)
FAR_EL1: 0xc018
ELR_EL1: 000000000043EFC8
X0:    0000000000000000
X30:   000000000043EFC8
  FP 00007fffffffc410: PC 00000000003f5da4
  FP ffff80004406fd50: PC ffffff0000058d64
    FFFFFF0000057A8C+12D8
    <kernel::arch::aarch64::interrupt::handler::InterruptStack>::trace
  00007fffffffc3f0: GUARD PAGE
kernel::context::signal:INFO -- UNHANDLED EXCEPTION, CPU #0, PID 20, NAME /scheme/initfs/bin/fbcond, CONTEXT 0xfffffe800020df60
`

func TestTraces(t *testing.T) {
	at := func(v uint64) Address { return Address{v, false} }
	ret := func(v uint64) Address { return Address{v, true} }
	for _, c := range []struct {
		name, log string
		want      []Trace
	}{
		{"an exception of a program", redoxException, []Trace{{2, "thread 'main' (1) panicked at drivers/graphics/fbcond/src/display.rs:27:64:", "/scheme/initfs/bin/fbcond",
			[]Address{at(0x43efc8), ret(0x43efc8), ret(0x3f5da4), ret(0xffffff0000058d64)}}}},
		{"a kernel's panic", "\x1b[31mKERNEL PANIC: panicked at src/a.rs:1:2:\x1b[0m\r\n  FP ffff80004406fd50: PC ffffff0000058d64\r\nHALT\r\n  FP ffff80004406fd50: PC ffffff0000000001\r\n",
			[]Trace{{1, "KERNEL PANIC: panicked at src/a.rs:1:2:", "", []Address{ret(0xffffff0000058d64)}}, {4, "", "", []Address{ret(0xffffff0000000001)}}}},
		{"std's backtrace", "thread 'main' panicked at src/bin/cat.rs:3:4:\noops\nstack backtrace:\n   0:           0x3f5da4 - <unknown>\n  11:           0x3f5dff - main\n",
			[]Trace{{1, "thread 'main' panicked at src/bin/cat.rs:3:4:", "cat", []Address{ret(0x3f5da4), ret(0x3f5dff)}}}},
		{"the smoke kernel's", "PANIC: data abort in EL0, ESR=9200004F ELR=0000000000201174 FAR=0000000000000008\nsmoke: process depth 2, x30=0000000000201190 sp=000000003FFE0000 pc=0000000000201174\nsmoke: power off after 3 ms\n",
			[]Trace{{1, "PANIC: data abort in EL0, ESR=9200004F ELR=0000000000201174 FAR=0000000000000008", "", []Address{at(0x201174), ret(0x201190)}}}},
		{"a panic without addresses", "thread 'main' panicked at src/a.rs:1:1:\n" + strings.Repeat("x\n", 50) + "ELR_EL1: 0000000000401174\n", []Trace{{52, "", "", []Address{at(0x401174)}}}},
		{"nothing", "all is well\nFP is a register\n", nil},
	} {
		got, err := Traces(strings.NewReader(c.log))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.name, err, diff)
		}
	}
}

// A guest that crashes without end fills no memory.
func TestTracesAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3 * most {
		fmt.Fprintf(&b, "KERNEL PANIC: %d\n%sHALT\n", i, strings.Repeat("  FP ffff80004406fd50: PC ffffff0000058d64\n", 2*mostAddresses))
	}
	got, err := Traces(strings.NewReader(b.String()))
	if err != nil || len(got) != most || len(got[0].Addresses) != mostAddresses {
		t.Errorf("%v, %d traces, %d addresses", err, len(got), len(got[0].Addresses))
	}
}
