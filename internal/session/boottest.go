package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// bootTest is images/boot/<name>.toml: what the serial line of a guest must and must not show, and what its disk must
// hold afterwards.
type bootTest struct {
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
	Network  bool          `toml:"network"`
	Services []bootService `toml:"service"`
	// PowerOff: the guest has to end QEMU itself after the last step.
	PowerOff bool `toml:"power-off"`
	// Forbid are patterns that no line may match.
	Forbid []string   `toml:"forbid"`
	Steps  []bootStep `toml:"step"`
	// Commands are run one after the other when the root file system is there, by the image's shell.
	Commands []bootCommand `toml:"command"`

	// What is changed in the image for this test, by the same references as in a description. The test then runs on a copy.
	Loader string      `toml:"loader"`
	Kernel string      `toml:"kernel"`
	Initfs string      `toml:"initfs"`
	Trees  []disk.Tree `toml:"tree"`
	Files  []disk.File `toml:"file"`
	Dirs   []disk.Dir  `toml:"dir"`

	// Keep is what remains of the guest's writes for After to look at, on a copy of the image.
	Keep   keptWrites  `toml:"keep"`
	After  []bootAfter `toml:"after"`
	Traces []bootTrace `toml:"trace"`
}

// keptWrites is what remains of what the guest wrote.
type keptWrites string

const (
	keepNothing keptWrites = ""
	keepWrites  keptWrites = "writes"  // all that QEMU was told to write
	keepFlushed keptWrites = "flushed" // what a power cut leaves in the worst case: what was written before the last flush
)

// bootCommand is a line for ion, with what it must answer.
type bootCommand struct {
	Run    string `toml:"run"`
	Status int    `toml:"status"`
}

// bootStep waits for a line, and may type an answer.
type bootStep struct {
	Name string `toml:"name"`
	Wait string `toml:"wait"`
	// Claim recognises the line this is about: one that matches it and not Wait is a wrong answer.
	Claim string `toml:"claim"`
	// Prompt matches before the line has ended, as "login: " needs it.
	Prompt bool   `toml:"prompt"`
	Send   string `toml:"send"`
}

func (st bootStep) label() string {
	if st.Name != "" {
		return st.Name
	}
	return st.Wait
}

// TestBoot runs boot tests by name, or all of them. -img boots another image.
func (s *Session) TestBoot(ctx context.Context, name string, f RunFlags) error {
	if name != "all" {
		return s.testBoot(ctx, name, f)
	}
	var all *multierror.Error
	for _, n := range s.imageNames(filepath.Join("images", "boot")) {
		if err := s.testBoot(ctx, n, f); err != nil {
			all = multierror.Append(all, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return all.ErrorOrNil()
}

func (s *Session) testBoot(ctx context.Context, name string, f RunFlags) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("boot test %s: %w", name, err)
		}
	}()
	test, err := s.bootTest(name)
	if err != nil {
		return err
	}
	services, err := test.serve()
	if err != nil {
		return err
	}
	defer services.stop()
	script, err := test.script()
	if err != nil {
		return err
	}
	if f.Image == "" && test.Image != "" {
		f.Image = s.Config.Image(test.Image)
	}
	// A report of an earlier run must not pass for this one's.
	report := filepath.Join(s.Config.Out(), "test", "boot-"+name+".xml")
	if err := os.Remove(report); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, done, err := s.scratch("boot-test", name)
	if err != nil {
		return err
	}
	defer done()
	run, err := s.prepareBoot(ctx, test, f, dir)
	if err != nil {
		return err
	}
	result, err := run.boot(ctx, script, filepath.Join(s.Config.Logs(), "boot-"+name+".serial.log"))
	if err != nil {
		return err
	}
	outcome, err := run.judge(ctx, result)
	if err != nil {
		return err
	}
	outcome.add(services.checks())
	if err := writeJUnit(report, name, test, outcome); err != nil {
		return err
	}
	if err := outcome.err(); err != nil {
		return err
	}
	s.sayPassed(name, outcome)
	return nil
}

func (s *Session) bootTest(name string) (*bootTest, error) {
	file := filepath.Join(s.Config.Root, "images", "boot", name+".toml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no such test; there are %s", strings.Join(s.imageNames(filepath.Join("images", "boot")), ", "))
	}
	if err != nil {
		return nil, err
	}
	t := &bootTest{Silence: 60, Limit: 300}
	return t, tomlfile.Decode(s.relative(file), text, t)
}

// commandSteps are what the commands have to print: their number and status.
func (t *bootTest) commandSteps() []bootStep {
	var steps []bootStep
	for i, c := range t.Commands {
		// Not at the start of a line: getty may have prompted before it.
		about := fmt.Sprintf(`\bboot-test command %d status `, i+1)
		steps = append(steps, bootStep{Name: c.Run, Wait: fmt.Sprintf("%s%d$", about, c.Status), Claim: about})
	}
	return steps
}

// allSteps are the steps in order, those of the commands after the others.
func (t *bootTest) allSteps() []bootStep { return append(slices.Clone(t.Steps), t.commandSteps()...) }

// script compiles the patterns; all mistakes of the test come back at once.
func (t *bootTest) script() (qemu.Script, error) {
	all := multierror.Append(nil, t.check()...)
	compile := func(pattern string) *regexp.Regexp {
		re, err := regexp.Compile(pattern)
		if err != nil {
			all = multierror.Append(all, err)
		}
		return re
	}
	script := qemu.Script{PowerOff: t.PowerOff}
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
func (t *bootTest) check() []error {
	var errs []error
	switch t.Keep {
	case keepNothing:
		if len(t.After) > 0 {
			errs = append(errs, fmt.Errorf(`[[after]] looks at what the guest has written, and that is forgotten: keep = %q or %q`, keepWrites, keepFlushed))
		}
	case keepWrites, keepFlushed:
	default:
		errs = append(errs, fmt.Errorf("keep = %q: want %q or %q", t.Keep, keepWrites, keepFlushed))
	}
	for i := range t.After {
		errs = append(errs, t.After[i].check()...)
	}
	for i := range t.Traces {
		errs = append(errs, t.Traces[i].check()...)
	}
	return append(errs, t.checkServices()...)
}
