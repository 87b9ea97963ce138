package boottest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Test is images/boot/<name>.toml: what the serial line of a guest must and must not show, and what its disk must
// hold afterwards. Patterns are RE2 regular expressions.
//
// In what is typed, run and put into files %{service.NAME} stands for the address of a service.
type Test struct {
	// Description is one line for lists.
	Description string `toml:"description"`
	// Image is the name of a description; its image in out/ is booted as it lies there. `mage test:boot -img=FILE` boots another one.
	Image string `toml:"image"`
	// Machine is the name of a machine, as `mage run` has them: "default", "small", "smp", "nvme".
	Machine string `toml:"machine"`
	// Memory is the guest's in MiB; by default the machine's.
	Memory int `toml:"memory-mib"`
	// Device is how the guest sees the disk: "virtio-blk-pci", "nvme"; by default the machine's.
	Device string `toml:"device"`
	// Silence ends a test after so many seconds without any output; 60 by default.
	Silence int `toml:"silence"`
	// Limit ends a test after so many seconds; 300 by default.
	Limit int `toml:"limit"`
	// Network gives the guest a network card behind the host; services imply it.
	Network bool `toml:"network"`
	// Services are programs of the host that the guest talks to.
	Services []Service `toml:"service"`
	// PowerOff says that the guest has to end QEMU itself after the last step.
	PowerOff bool `toml:"power-off"`
	// Forbid has patterns that no line may match.
	Forbid []string `toml:"forbid"`
	// Steps are waited for in this order.
	Steps []Step `toml:"step"`
	// Commands are run one after the other when the root file system is there, by the image's shell. They are waited for after the steps.
	Commands []Command `toml:"command"`

	// Loader replaces the image's boot loader for this test, by a reference as in an image's description. What is replaced or added
	// goes into a copy of the image.
	Loader string `toml:"loader"`
	// Kernel replaces the image's kernel for this test.
	Kernel string `toml:"kernel"`
	// Initfs replaces the image's initfs for this test.
	Initfs string `toml:"initfs"`
	// Trees are added to the image for this test.
	Trees []disk.Tree `toml:"tree"`
	// Files are added to the image for this test.
	Files []disk.File `toml:"file"`
	// Dirs are added to the image for this test.
	Dirs []disk.Dir `toml:"dir"`

	// Keep is what remains of the guest's writes for [[after]] to look at, on a copy of the image. By default nothing does.
	Keep keptWrites `toml:"keep"`
	// After has what must be in the file system of the disk after the run; it wants `keep`.
	After []After `toml:"after"`
	// Traces are counts of events inside QEMU.
	Traces []Trace `toml:"trace"`
}

// Parse reads a test. path is for messages.
func Parse(path string, text []byte) (*Test, error) {
	t := &Test{Silence: 60, Limit: 300}
	return t, tomlfile.Decode(path, text, t)
}

// keptWrites is what remains of what the guest wrote.
type keptWrites string

// The values of Test.Keep.
const (
	KeepNothing keptWrites = ""
	KeepWrites  keptWrites = "writes"  // all that QEMU was told to write
	KeepFlushed keptWrites = "flushed" // what a power cut leaves in the worst case: what was written before the last flush
)

// Values are what can be written; nothing is kept where nothing is.
func (keptWrites) Values() []string { return tomlfile.Values(KeepWrites, KeepFlushed) }

// Command is a line for ion, with what it must answer.
type Command struct {
	// Run is the command line.
	Run string `toml:"run,required"`
	// Status is the exit status that it has to end with, 0 by default.
	Status int `toml:"status"`
}

// Step waits for a line, and may type an answer.
type Step struct {
	// Name is what reports call the step.
	Name string `toml:"name"`
	// Wait is the pattern of the line.
	Wait string `toml:"wait,required"`
	// Claim is a pattern that recognises the line this is about: one that matches it and not `wait` is a wrong answer.
	Claim string `toml:"claim"`
	// Prompt says that the pattern matches before the line has ended, as "login: " needs it.
	Prompt bool `toml:"prompt"`
	// Send is typed then. A line of it ends in "\n".
	Send string `toml:"send"`
}

// commandSteps are what the commands have to print: their number and status.
func (t *Test) commandSteps() []Step {
	var steps []Step
	for i, c := range t.Commands {
		// Not at the start of a line: getty may have prompted before it.
		about := fmt.Sprintf(`\bboot-test command %d status `, i+1)
		steps = append(steps, Step{Name: c.Run, Wait: fmt.Sprintf("%s%d$", about, c.Status), Claim: about})
	}
	return steps
}

// allSteps are the steps in order, those of the commands after the others.
func (t *Test) allSteps() []Step { return append(slices.Clone(t.Steps), t.commandSteps()...) }

// Script compiles the patterns; all mistakes of the test come back at once.
func (t *Test) Script() (qemu.Script, error) {
	all := multierror.Append(nil, t.check()...)
	compile := func(pattern string) *regexp.Regexp {
		re, err := regexp.Compile(pattern)
		if err != nil {
			all = multierror.Append(all, err)
		}
		return re
	}
	script := qemu.Script{PowerOff: t.PowerOff, LastWords: t.lastWords(), Dumps: dumps()}
	for _, pattern := range t.Forbid {
		script.Forbidden = append(script.Forbidden, compile(pattern))
	}
	for _, step := range t.allSteps() {
		s := qemu.Step{Name: step.Name, Pattern: compile(step.Wait), Prompt: step.Prompt, Send: step.Send}
		if step.Claim != "" {
			s.Claim = compile(step.Claim)
		}
		script.Steps = append(script.Steps, s)
	}
	return script, all.ErrorOrNil()
}

// check finds what cannot be meant, apart from the steps.
func (t *Test) check() []error {
	var errs []error
	if t.Keep == KeepNothing && len(t.After) > 0 {
		errs = append(errs, fmt.Errorf(`[[after]] looks at what the guest has written, and that is forgotten: keep = %q or %q`, KeepWrites, KeepFlushed))
	}
	if t.Memory < 0 {
		errs = append(errs, fmt.Errorf("memory-mib = %d: want MiB", t.Memory))
	}
	for i := range t.After {
		errs = append(errs, t.After[i].check()...)
	}
	for i := range t.Traces {
		errs = append(errs, t.Traces[i].check()...)
	}
	return append(errs, t.checkServices()...)
}

// WantsCopy says that the test changes its image or looks at it afterwards, so that it runs on a copy.
func (t *Test) WantsCopy() bool {
	return t.Keep != KeepNothing || len(t.Commands) > 0 || t.Loader+t.Kernel+t.Initfs != "" || len(t.Trees)+len(t.Files)+len(t.Dirs) > 0
}

// Additions are what the test puts into its image, as a description of nothing else.
func (t *Test) Additions() *disk.Description {
	return &disk.Description{Boot: disk.Boot{Loader: t.Loader, Kernel: t.Kernel, Initfs: t.Initfs}, Trees: t.Trees, Files: t.Files, Dirs: t.Dirs}
}

// CommandOps put the commands where the seed-era init runs them: after everything else in init.d.
func (t *Test) CommandOps() []redoxfs.Op {
	if len(t.Commands) == 0 {
		return nil
	}
	var script strings.Builder
	for i, c := range t.Commands {
		fmt.Fprintf(&script, "%s\necho boot-test command %d status $?\n", c.Run, i+1)
	}
	text, start := script.String(), "ion /etc/boot-test.ion\n"
	return []redoxfs.Op{
		{Op: redoxfs.OpFile, Path: "/etc/boot-test.ion", Text: &text},
		{Op: redoxfs.OpFile, Path: "/usr/lib/init.d/zz_boot-test", Text: &start},
	}
}
