package boottest

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/qemu"
)

// lastWords is a kind of line after which a boot comes to nothing, in the words of Redox.
type lastWords struct {
	// Pattern may have a group "program". The line then counts only where the boot or the test needs that program: drivers that give up
	// print the same, and init goes on without them.
	Pattern string
	Meaning string
	// Not are programs whose line says nothing.
	Not []string
}

// redoxLastWords has the words of kernel (src/context/signal.rs, src/panic.rs, src/arch/aarch64/interrupt/exception.rs), bootloader,
// bootstrap and init (base: bootstrap/src/lib.rs, init/src/main.rs), userutils (src/bin), as their sources of 2025 and 2026 have them.
func redoxLastWords() []lastWords {
	// The status of a shell is that of its last command, and says nothing of the shell.
	shells := []string{"ion"}
	return []lastWords{
		{Pattern: `\b(SETUP|BOOTLOADER) PANIC\b`, Meaning: "the boot loader panicked"},
		{Pattern: `\bKERNEL PANIC\b`, Meaning: "the kernel panicked"},
		{Pattern: `^(Synchronous exception at EL1 with SP[0x]|Unhandled exception)$`, Meaning: "the kernel itself had an exception, and halts"},
		{Pattern: `\bUNHANDLED EXCEPTION, CPU #?\d+, PID [01],`, Meaning: "bootstrap or init had an exception, and the kernel ended it"},
		{Pattern: `\bUNHANDLED EXCEPTION, CPU #?\d+, PID \d+, NAME (?P<program>[^,]+)`, Meaning: "a program had an exception, and the kernel ended it"},
		{Pattern: `^panicked at `, Meaning: "bootstrap panicked"}, // others say which thread did
		{Pattern: `\bpanicked at (\S*/)?init/src/`, Meaning: "init panicked"},
		{Pattern: `^init: failed to run /`, Meaning: "init cannot run its own script"},
		{Pattern: `^init: failed to (run|execute|wait for) '(?P<program>[^' ]+)`, Meaning: "init cannot start a program"},
		{Pattern: `^(?P<program>\S+) failed with (exit status|signal)\b`, Meaning: "a program ended with a failure", Not: shells},
		{Pattern: `\bpanicked at (\S*/)?src/bin/(?P<program>\w+)\.rs:`, Meaning: "a program panicked"},
		{Pattern: `^(?P<program>getty): failed to `, Meaning: "there will be no login"},
	}
}

// dumps are the lines that the kernel prints about registers and stack of what had an exception.
func dumps() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`^(X\d+|[A-Z]+_EL\d|[A-Z]{2,6}):\s+(0x)?[0-9A-Fa-f]{4,16}$`),
		regexp.MustCompile(`^\s+FP [0-9a-f]{16}: PC [0-9a-f]{16}$`),
		regexp.MustCompile(`^\s+[0-9A-F]{16}\+[0-9A-F]+$`),
		regexp.MustCompile(`^\s+(<?\w+(::\w+)+>?(::\w+)*|\w+_exception\w*)$`),
		regexp.MustCompile(`^\s+(<Invalid next frame pointer .*>|[0-9a-f]{16}: GUARD PAGE)$`),
	}
}

// lastWords are the lines after which nothing of this test can come.
func (t *Test) lastWords() []qemu.LastWords {
	needed := t.needed()
	var all []qemu.LastWords
	for _, row := range redoxLastWords() {
		l := qemu.LastWords{Pattern: regexp.MustCompile(row.Pattern), Meaning: row.Meaning}
		if i := l.Pattern.SubexpIndex("program"); i > 0 {
			l.Final = func(submatches []string) bool {
				program := strings.Trim(path.Base(submatches[i]), "[]")
				return slices.Contains(needed, program) && !slices.Contains(row.Not, program)
			}
		}
		all = append(all, l)
	}
	return all
}

// initScripts is where init finds what it runs on the root file system.
const initScripts = "/usr/lib/init.d/"

// needed are the programs without which the boot or the test comes to nothing: those that start all others, those that the test has
// init run or types, and those that ask for what it types.
func (t *Test) needed() []string {
	names := []string{"bootstrap", "init"}
	for _, f := range t.Files {
		if strings.HasPrefix(f.To, initScripts) && f.Text != nil {
			names = append(append(names, path.Base(f.To)), programs(*f.Text)...)
		}
	}
	for _, c := range t.Commands {
		names = append(append(names, "ion"), programs(c.Run)...)
	}
	for _, s := range t.Steps {
		names = append(names, programs(s.Send)...)
		switch {
		case strings.Contains(s.Wait, "login: "):
			names = append(names, "getty", "login")
		case strings.Contains(s.Wait, "ion# "):
			names = append(names, "ion")
		}
	}
	return names
}

// programs are the first words of lines. What is no program among them does no harm.
func programs(lines string) []string {
	var names []string
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "nowait" { // init's own word
			words = words[1:]
		}
		if len(words) > 0 {
			names = append(names, path.Base(words[0]))
		}
	}
	return names
}
