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
// hold afterwards.
type Test struct {
	Description string `toml:"description"`
	// Image is the name of a description; its image in out/ is booted as it lies there.
	Image   string `toml:"image"`
	Machine string `toml:"machine"` // as for mage run
	Memory  int    `toml:"memory-mib"`
	// Device is how the guest sees the disk: virtio-blk-pci, nvme; the machine's by default.
	Device string `toml:"device"`
	// Silence and Limit end a test, in seconds: without any output, and altogether.
	Silence int `toml:"silence"`
	Limit   int `toml:"limit"`
	// Network gives the guest a network card behind the host; services imply it.
	Network  bool      `toml:"network"`
	Services []Service `toml:"service"`
	// PowerOff: the guest has to end QEMU itself after the last step.
	PowerOff bool `toml:"power-off"`
	// Forbid are patterns that no line may match.
	Forbid []string `toml:"forbid"`
	Steps  []Step   `toml:"step"`
	// Commands are run one after the other when the root file system is there, by the image's shell.
	Commands []Command `toml:"command"`

	// What is changed in the image for this test, by the same references as in a description. The test then runs on a copy.
	Loader string      `toml:"loader"`
	Kernel string      `toml:"kernel"`
	Initfs string      `toml:"initfs"`
	Trees  []disk.Tree `toml:"tree"`
	Files  []disk.File `toml:"file"`
	Dirs   []disk.Dir  `toml:"dir"`

	// Keep is what remains of the guest's writes for After to look at, on a copy of the image.
	Keep   keptWrites `toml:"keep"`
	After  []After    `toml:"after"`
	Traces []Trace    `toml:"trace"`
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

// Command is a line for ion, with what it must answer.
type Command struct {
	Run    string `toml:"run"`
	Status int    `toml:"status"`
}

// Step waits for a line, and may type an answer.
type Step struct {
	Name string `toml:"name"`
	Wait string `toml:"wait"`
	// Claim recognises the line this is about: one that matches it and not Wait is a wrong answer.
	Claim string `toml:"claim"`
	// Prompt matches before the line has ended, as "login: " needs it.
	Prompt bool   `toml:"prompt"`
	Send   string `toml:"send"`
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
	for i, step := range t.allSteps() {
		if step.Wait == "" {
			all = multierror.Append(all, fmt.Errorf("step %d has no wait", i+1))
		}
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
	switch t.Keep {
	case KeepNothing:
		if len(t.After) > 0 {
			errs = append(errs, fmt.Errorf(`[[after]] looks at what the guest has written, and that is forgotten: keep = %q or %q`, KeepWrites, KeepFlushed))
		}
	case KeepWrites, KeepFlushed:
	default:
		errs = append(errs, fmt.Errorf("keep = %q: want %q or %q", t.Keep, KeepWrites, KeepFlushed))
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
