package session

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	disk "github.com/pannous/redox-clif/internal/image"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/tomlfile"
	"github.com/pannous/redox-clif/internal/ui"
)

// bootTest is images/boot/<name>.toml: what the serial line of a guest must and must not show.
type bootTest struct {
	Description string `toml:"description"`
	// Image is the name of a description; its image in out/ is booted as it lies there.
	Image   string `toml:"image"`
	Machine string `toml:"machine"` // as for mage run
	Memory  int    `toml:"memory-mib"`
	// Silence and Limit end a test, in seconds: without any output, and altogether.
	Silence int `toml:"silence"`
	Limit   int `toml:"limit"`
	// PowerOff: the guest has to end QEMU itself after the last step.
	PowerOff bool `toml:"power-off"`
	// Forbid are patterns that no line may match.
	Forbid []string   `toml:"forbid"`
	Steps  []bootStep `toml:"step"`
	// Commands are run one after the other when the root file system is there, by the image's shell. They are put into a copy
	// of the image that is thrown away.
	Commands []bootCommand `toml:"command"`
}

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
	script, err := test.script()
	if err != nil {
		return err
	}
	if f.Image == "" && test.Image != "" {
		f.Image = s.imagePath(test.Image)
	}
	f.Machine, f.Memory, f.Write = test.Machine, test.Memory, false
	m, err := s.guest(f)
	if err != nil {
		return err
	}
	if len(test.Commands) > 0 {
		dir, err := s.withCommands(ctx, m, test)
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	// A report of an earlier run must not pass for this one's.
	report := filepath.Join(s.Config.Out(), "test", "boot-"+name+".xml")
	if err := os.Remove(report); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	result, err := s.boot(ctx, m, script, test, name)
	if err != nil {
		return err
	}
	if err := writeJUnit(report, name, test, result); err != nil {
		return err
	}
	if err := result.Err(); err != nil {
		return err
	}
	s.say("boot test %s: passed, %d steps in %s (log: %s)", name, len(script.Steps), ui.Seconds(result.Elapsed), s.relative(result.Log))
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
		about := fmt.Sprintf("^boot-test command %d status ", i+1)
		steps = append(steps, bootStep{Name: c.Run, Wait: fmt.Sprintf("%s%d$", about, c.Status), Claim: about})
	}
	return steps
}

// commandOps put the commands where the seed-era init runs them: after everything else in init.d.
func (t *bootTest) commandOps() []redoxfs.Op {
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

// withCommands gives the machine a copy of its image that runs the commands, in a folder that it returns.
func (s *Session) withCommands(ctx context.Context, m *guestMachine, t *bootTest) (string, error) {
	tool, err := s.imageTool(ctx)
	if err != nil {
		return "", err
	}
	// Beside the image, where a copy can share its blocks.
	dir, err := os.MkdirTemp(filepath.Dir(m.image), "boot-test-*")
	if err != nil {
		return "", err
	}
	image := filepath.Join(dir, "copy.img")
	if err := disk.Copy(ctx, tool, m.image, image, t.commandOps()); err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	m.image, m.Drives[0].File = image, image
	return dir, nil
}

// script compiles the patterns; all mistakes come back at once.
func (t *bootTest) script() (qemu.Script, error) {
	var all *multierror.Error
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
	for i, step := range append(slices.Clone(t.Steps), t.commandSteps()...) {
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

func (s *Session) boot(ctx context.Context, m *guestMachine, script qemu.Script, t *bootTest, name string) (*qemu.Result, error) {
	log := filepath.Join(s.Config.Logs(), "boot-"+name+".serial.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redox-clif-boot-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	firmware, err := m.Firmware.PrivateVars(dir)
	if err != nil {
		return nil, err
	}
	m.Firmware = &firmware
	opts := qemu.Options{
		Limits: qemu.Limits{Silence: time.Duration(t.Silence) * time.Second, Total: time.Duration(t.Limit) * time.Second},
		Log:    log, Env: s.toolEnv(),
	}
	if s.Config.Verbose {
		opts.Stream = s.Streams.Out
	}
	return qemu.Run(ctx, m.Machine, script, opts)
}

// The parts of JUnit's XML that CI systems read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *struct{}     `xml:"skipped,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes a case for each step, and one for the outcome: a forbidden line belongs to no step.
func writeJUnit(file, name string, t *bootTest, r *qemu.Result) error {
	missing := map[string]bool{}
	for _, m := range r.Missing {
		missing[m] = true
	}
	suite := junitSuite{Name: "boot " + name, Time: fmt.Sprintf("%.1f", r.Elapsed.Seconds())}
	for _, step := range append(slices.Clone(t.Steps), t.commandSteps()...) {
		label := step.Name
		if label == "" {
			label = step.Wait
		}
		c := junitCase{Name: label, Class: "boot." + name}
		if missing[label] {
			c.Skipped = &struct{}{}
		}
		suite.Cases = append(suite.Cases, c)
	}
	outcome := junitCase{Name: "outcome", Class: "boot." + name}
	if err := r.Err(); err != nil {
		suite.Failures = 1
		outcome.Failure = &junitFailure{Message: string(r.Outcome), Text: err.Error()}
	}
	suite.Cases = append(suite.Cases, outcome)
	suite.Tests = len(suite.Cases)
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, append([]byte(xml.Header), append(text, '\n')...), 0o644)
}
