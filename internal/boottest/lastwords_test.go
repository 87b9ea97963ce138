package boottest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/disk"
)

// TestLastWords: each row has lines that it is for, and what looks the same and is none.
func TestLastWords(t *testing.T) {
	text := "export HOME /root\nnowait ipcd\nhelix --version\n"
	test := &Test{
		Files: []disk.File{{To: initScripts + "90_helix", Text: &text}, {To: "/etc/motd", Text: &text}, {To: initScripts + "91_copied"}},
		Steps: []Step{{Wait: "login: ", Send: "root\n"}, {Wait: "ion# ", Send: "/bin/sudo id -u\n"}}, Commands: []Command{{Run: "synctest /a"}},
	}
	tests := []struct {
		meaning      string
		last, others []string
	}{
		{"the boot loader panicked", []string{"SETUP PANIC: x", "BOOTLOADER PANIC:"}, []string{"no PANIC"}},
		{"the kernel panicked", []string{"KERNEL PANIC: panicked at src/x.rs:1:2:"}, []string{"the KERNEL PANICS"}},
		{
			"the kernel itself had an exception, and halts", []string{"Synchronous exception at EL1 with SPx", "Synchronous exception at EL1 with SP0", "Unhandled exception"},
			[]string{"Unhandled exception of the user's"},
		},
		{
			"bootstrap or init had an exception, and the kernel ended it",
			[]string{"UNHANDLED EXCEPTION, CPU #0, PID 0, NAME [bootstrap], CONTEXT 0x1", "kernel::context::signal:INFO -- UNHANDLED EXCEPTION, CPU #3, PID 1, NAME bootstrap"},
			[]string{"UNHANDLED EXCEPTION, CPU #0, PID 10, NAME fbcond"},
		},
		{
			"a program had an exception, and the kernel ended it",
			[]string{
				"UNHANDLED EXCEPTION, CPU #0, PID 2, NAME [init], CONTEXT 0x1", "UNHANDLED EXCEPTION, CPU #0, PID 41, NAME /usr/bin/login, CONTEXT 0xfffffe800020df60",
				"UNHANDLED EXCEPTION, CPU 0, PID 41, NAME helix, CONTEXT 0x1", "UNHANDLED EXCEPTION, CPU 0, PID 41, NAME /usr/bin/ion", "UNHANDLED EXCEPTION, CPU 0, PID 5, NAME bin/bootstrap",
			},
			[]string{"kernel::context::signal:INFO -- UNHANDLED EXCEPTION, CPU #0, PID 20, NAME /scheme/initfs/bin/fbcond, CONTEXT 0x1"},
		},
		{"bootstrap panicked", []string{"panicked at src/procmgr.rs:49:39:"}, []string{"thread 'main' (1) panicked at drivers/graphics/fbcond/src/display.rs:27:64:"}},
		{"init panicked", []string{"thread 'main' (1) panicked at init/src/main.rs:191:5:"}, []string{"thread 'main' (1) panicked at drivers/xinit/src/main.rs:191:5:"}},
		{"init cannot run its own script", []string{"init: failed to run /scheme/initfs/etc/init.rc: No such file"}, []string{"init: failed to run.d: '/etc/init.d': x"}},
		{
			"init cannot start a program",
			[]string{"init: failed to execute 'helix --version': No such file", "init: failed to run '/usr/lib/init.d/90_helix': x", "init: failed to wait for 'ipcd': x"},
			[]string{"init: failed to execute 'dhcpd -v': No such file", "init: failed to run nowait: no argument"},
		},
		{
			"a program ended with a failure", []string{"helix failed with exit status: 101", "getty failed with signal: 6"},
			[]string{"fbcond failed with exit status: 101", "ion failed with exit status: 1", "helix failed with grace"},
		},
		{"a program panicked", []string{"thread 'main' (1) panicked at src/bin/login.rs:79:1:", "thread '<unnamed>' (2) panicked at userutils/src/bin/sudo.rs:79:1:"}, []string{"thread 'main' (1) panicked at src/bin/passwd.rs:79:1:"}},
		{"there will be no login", []string{"getty: failed to execute login: x"}, []string{"a getty: failed to"}},
	}
	said := func(line string) string {
		script, err := test.Script()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range script.LastWords {
			if found := l.Pattern.FindStringSubmatch(line); found != nil && (l.Final == nil || l.Final(found)) {
				return l.Meaning
			}
		}
		return ""
	}
	for i, row := range redoxLastWords() {
		if i >= len(tests) || tests[i].meaning != row.Meaning {
			t.Fatalf("row %d, %q, has no test", i, row.Meaning)
		}
		for _, line := range tests[i].last {
			if got := said(line); got != row.Meaning {
				t.Errorf("%q: %q, want %q", line, got, row.Meaning)
			}
		}
		for _, line := range tests[i].others {
			if got := said(line); got != "" {
				t.Errorf("%q is taken for last words: %q", line, got)
			}
		}
	}
	test = &Test{Steps: []Step{{Wait: "up"}}}
	for _, line := range []string{"getty: failed to execute login: x", "helix failed with exit status: 1"} {
		if got := said(line); got != "" {
			t.Errorf("without need of it %q is taken for last words: %q", line, got)
		}
	}
}

// TestDumps: the lines that the kernel prints of an exception, and no others of it.
func TestDumps(t *testing.T) {
	isDump := func(line string) bool {
		return slices.ContainsFunc(dumps(), func(d *regexp.Regexp) bool { return d.MatchString(line) })
	}
	for line := range strings.Lines(`FAR_EL1: 0xc018
ELR_EL1: 000000000043EFC8
SP_EL0: 00007FFFFFFFC3F0
X0:    0000000000000000
X30:   000000000043EFC8
  FP 00007fffffffc410: PC 00000000003f5da4
    FFFFFF0000057A8C+12D8
    <kernel::arch::aarch64::interrupt::handler::InterruptStack>::trace
    kernel::arch::aarch64::interrupt::exception::synchronous_exception_at_el0::inner
    synchronous_exception_at_el0
  <Invalid next frame pointer 0x00007fffffffcd60; stack walk ended>
  00007fffffffc3f0: GUARD PAGE
`) {
		if !isDump(strings.TrimSuffix(line, "\n")) {
			t.Errorf("shown: %q", line)
		}
	}
	for _, line := range []string{
		"Abort", "thread 'main' (1) panicked at drivers/graphics/fbcond/src/display.rs:27:64:", "kernel::arch::aarch64::interrupt::exception:ERROR -- FATAL: Not an SVC",
		"UNHANDLED EXCEPTION, CPU #0, PID 20, NAME x, CONTEXT 0xfffffe800020df6", "DHCP: 10.0.2.3", "    answer", "MAC: 0A", "", "HALT",
	} {
		if isDump(line) {
			t.Errorf("left out: %q", line)
		}
	}
}
