package compare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/smoke"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// The recipes of the differential tests.
const (
	diffRecipe    = "difftest"
	defectsRecipe = "difftest-defects"
)

// diffWatchdog is how many seconds all programs together may take.
const diffWatchdog = 240

// maxTraced bounds how many differing cases are booted again to name their first difference.
const maxTraced = 8

// diffTests is one run of the differential tests.
type diffTests struct {
	recipes  recipe.Set
	s        *session.Session
	accel    string // of QEMU, see [smoke.Machine]
	expected *difftest.Expected
	tool     *session.Toolchain
	found    difftest.Findings
	dir      string   // holds programs/, the image and the kernel
	programs []string // below bin/
	image    manifest.Image
	took     time.Duration // by guests
}

// Diff compiles the differential tests by both backends, boots them, and compares what they print.
func Diff(ctx context.Context, s *session.Session, accel string) error {
	report, err := junit.Begin(filepath.Join(s.Config.Out(), "test", "diff.xml"))
	if err != nil {
		return err
	}
	t := &diffTests{s: s, accel: accel, found: difftest.Findings{Refused: map[string]string{}}}
	if t.expected, err = expectedDifferences(s); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "redox-clif-diff-*"); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
	if t.tool, err = s.Toolchain(ctx); err != nil {
		return err
	}
	t.found.Applied = appliedPatches(t.tool.Toolchain)
	if err := t.compileObjects(ctx); err != nil {
		return err
	}
	built, err := t.build(ctx)
	if err != nil || built == nil {
		return err
	}
	if err := t.pack(ctx, built); err != nil {
		return err
	}
	if err := t.run(ctx); err != nil {
		return err
	}
	return t.conclude(report)
}

// appliedPatches are those that a toolchain says it was built with, none for one from elsewhere.
func appliedPatches(found *toolchain.Toolchain) map[string]bool {
	m := session.ManifestOf(found)
	if m == nil {
		return nil
	}
	return difftest.AppliedPatches(m.Applied)
}

func expectedDifferences(s *session.Session) (*difftest.Expected, error) {
	file := filepath.Join(s.Config.Root, "recipes", diffRecipe, "expected.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	expected, err := difftest.ReadExpected(s.Relative(file), text)
	if err != nil {
		return nil, err
	}
	r, err := s.Recipe(defectsRecipe)
	if err != nil {
		return nil, err
	}
	step, ok := r.Step(difftest.Tested)
	if !ok {
		return nil, fmt.Errorf("%s has no step %s", r.Path, difftest.Tested)
	}
	var names []string
	for _, d := range expected.Defects {
		names = append(names, d.Name)
	}
	if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(step.Bins))) {
		return nil, fmt.Errorf("%s lists the defects %v, step %s of %s builds %v", s.Relative(file), names, difftest.Tested, r.Path, step.Bins)
	}
	return expected, nil
}

// run boots all programs, and again for cases that differ and are only known by a hash.
func (t *diffTests) run(ctx context.Context) error {
	printed, err := t.boot(ctx, "diff", "")
	if err != nil {
		return err
	}
	t.found.Results = difftest.Compare(printed, t.expected.Known)
	for _, r := range t.found.Unexplained(maxTraced) {
		traced, err := t.boot(ctx, "diff-trace", r.Name)
		if err != nil {
			return err
		}
		r.First = difftest.FirstItem(traced, r.Name)
	}
	return nil
}

// boot runs all programs and reads what they print. trace names a case to be printed item by item.
func (t *diffTests) boot(ctx context.Context, name, trace string) (*difftest.Run, error) {
	nonce, err := smoke.NewNonce()
	if err != nil {
		return nil, err
	}
	arguments := smoke.Arguments(&manifest.Manifest{Image: &t.image}, difftest.Settings(nonce, t.programs, trace))
	machine, err := smoke.Machine(t.s.Look, t.accel, filepath.Join(t.dir, smoke.KernelName), filepath.Join(t.dir, builder.ImageName),
		fmt.Sprintf("%s watchdog=%d", arguments, diffWatchdog))
	if err != nil {
		return nil, err
	}
	script := qemu.Script{PowerOff: true, Steps: []qemu.Step{{Name: "the end of all programs", Pattern: regexp.MustCompile(difftest.LastLine(nonce))}}}
	result, err := guest.Run(ctx, t.s, name, machine, script, qemu.Limits{Silence: diffWatchdog * time.Second, Total: 2 * diffWatchdog * time.Second})
	if err != nil {
		return nil, err
	}
	t.took += result.Elapsed
	serial, err := os.ReadFile(result.Log)
	if err != nil {
		return nil, err
	}
	run, err := difftest.Parse(string(serial))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.s.Relative(result.Log), err)
	}
	if err := result.Err(); err != nil {
		// A program that faults ends the machine; what was printed until then is compared all the same, and
		// what is missing says where it happened.
		if len(run.Outputs) == 0 {
			return nil, err
		}
		t.s.Say("the boot did not come to its end: %v", err)
	}
	return run, nil
}

// conclude says what was found, writes the report, and fails on everything that is not expected.
func (t *diffTests) conclude(report *junit.Report) error {
	c := t.expected.Conclude(&t.found)
	for _, k := range c.Known {
		if len(k.Cases) > 0 {
			t.s.Say("known difference in %d cases (%s): %s (notes/%s)", len(k.Cases), strings.Join(k.Cases, ", "), k.Reason, k.Note)
		} else {
			t.s.Say("this toolchain is without a known difference: %s", k.Reason)
		}
	}
	for _, d := range c.Refused {
		issue := ""
		if d.Issue != "" {
			issue = ", " + d.Issue
		}
		t.s.Say("refused as known: %s: %q%s (notes/%s)", d.Name, d.Seen, issue, d.Note)
	}
	for _, o := range c.Visible {
		t.s.Say("defect as known: %s: %q (notes/%s)", o.Name, o.Seen, o.Note)
	}
	if err := report.Write(c.JUnit(t.took)); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	t.s.Say("%d cases the same by both backends, %d known differences, %d of %d defects refused by the toolchain, %d of %d seen in objects; booted in %s (report: %s)",
		c.Cases-c.Listed(), c.Listed(), len(c.Refused), c.Defects, len(c.Visible), c.Objects, ui.Seconds(t.took), t.s.Relative(report.File))
	return nil
}
