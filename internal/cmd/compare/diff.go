package compare

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/smoke"
	"github.com/pannous/redox-clif/internal/ui"
)

// The recipes of the differential tests, and the backends that are compared.
const (
	diffRecipe    = "difftest"
	defectsRecipe = "difftest-defects"
	reference     = "llvm"
	tested        = "cranelift"
)

// diffWatchdog is how many seconds all programs together may take.
const diffWatchdog = 240

// maxTraced bounds how many differing cases are booted again to name their first difference.
const maxTraced = 8

// diffTests is one run of the differential tests.
type diffTests struct {
	s        *session.Session
	report   *junit.Report
	expected *difftest.Expected
	tool     *session.Toolchain
	applied  map[string]bool   // patches that the toolchain says it has
	refused  map[string]string // defects that the toolchain has: name -> what it said
	objects  []objectResult
	dir      string   // holds programs/, the image and the kernel
	programs []string // below bin/
	image    manifest.Image
	run      *difftest.Run
	took     time.Duration
}

// Diff compiles the differential tests by both backends, boots them, and compares what they print.
func Diff(ctx context.Context, s *session.Session) error {
	t := &diffTests{s: s, refused: map[string]string{}}
	var err error
	if t.report, err = junit.Begin(filepath.Join(s.Config.Out(), "test", "diff.xml")); err != nil {
		return err
	}
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
	t.applied = appliedPatches(t.tool.Toolchain)
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
	if t.run, err = t.boot(ctx, "diff", ""); err != nil {
		return err
	}
	results := difftest.Compare(t.run, reference, tested, t.expected.Known)
	if err := t.trace(ctx, results); err != nil {
		return err
	}
	return t.conclude(results)
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
	step, ok := r.Step(tested)
	if !ok {
		return nil, fmt.Errorf("%s has no step %s", r.Path, tested)
	}
	var names []string
	for _, d := range expected.Defects {
		names = append(names, d.Name)
	}
	if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(step.Bins))) {
		return nil, fmt.Errorf("%s lists the defects %v, step %s of %s builds %v", s.Relative(file), names, tested, r.Path, step.Bins)
	}
	return expected, nil
}

// boot runs all programs and reads what they print. A trace names one case to be printed item by item.
func (t *diffTests) boot(ctx context.Context, name, trace string) (*difftest.Run, error) {
	nonce, err := smoke.NewNonce()
	if err != nil {
		return nil, err
	}
	settings := nonce + ",programs=" + strings.Join(t.programs, "+")
	if trace != "" {
		settings += ",trace=" + trace
	}
	arguments := fmt.Sprintf("%s watchdog=%d", smoke.Arguments(&manifest.Manifest{Image: &t.image}, settings), diffWatchdog)
	machine, err := smoke.Machine(t.s.Look, filepath.Join(t.dir, smoke.KernelName), filepath.Join(t.dir, builder.ImageName), arguments)
	if err != nil {
		return nil, err
	}
	script := qemu.Script{PowerOff: true, Steps: []qemu.Step{{Name: "the end of all programs", Pattern: regexp.MustCompile("^difftest: done nonce=" + nonce + "$")}}}
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

// trace boots again for cases that differ and are only known by a hash.
func (t *diffTests) trace(ctx context.Context, results []difftest.Result) error {
	traced := 0
	for i := range results {
		r := &results[i]
		if !t.fails(*r) || traced == maxTraced || !strings.Contains(r.Reference+r.Tested, " items, hash ") {
			continue
		}
		traced++
		run, err := t.boot(ctx, "diff-trace", r.Name)
		if err != nil {
			return err
		}
		r.First = difftest.FirstItem(run, reference, tested, r.Name)
	}
	return nil
}

// conclude says what was found, writes the report, and fails on everything that is not expected.
func (t *diffTests) conclude(results []difftest.Result) error {
	var failed []string
	allowed := map[*difftest.Known][]string{}
	allowedCases := 0
	for _, r := range results {
		switch {
		case t.fails(r) && r.Known != nil:
			failed = append(failed, fmt.Sprintf("%s (mended by %s/%s, which the toolchain was built with)", r, seriesOfBackend, r.Known.Patch))
		case r.Differs() && r.Known != nil:
			allowed[r.Known] = append(allowed[r.Known], r.Name)
			allowedCases++
		case r.Differs():
			failed = append(failed, r.String())
		}
	}
	for i := range t.expected.Known {
		k := &t.expected.Known[i]
		if names := allowed[k]; len(names) > 0 {
			t.s.Say("known difference in %d cases (%s): %s (notes/%s)", len(names), strings.Join(names, ", "), k.Reason, k.Note)
		} else {
			t.s.Say("this toolchain is without a known difference: %s", k.Reason)
		}
	}
	for _, d := range t.expected.Defects {
		if said, ok := t.refused[d.Name]; ok {
			t.s.Say("refused as known: %s: %q%s (notes/%s)", d.Name, said, aboutIssue(d), d.Note)
		}
	}
	for _, o := range t.objects {
		switch {
		case o.shows == "":
		case t.applied[o.Patch]:
			failed = append(failed, fmt.Sprintf("object %s: %s (mended by %s/%s, which the toolchain was built with)", o.Name, o.shows, seriesOfBackend, o.Patch))
		default:
			t.s.Say("defect as known: object %s: %q (notes/%s)", o.Name, o.shows, o.Note)
		}
	}
	if err := t.writeReport(results); err != nil {
		return err
	}
	if len(results) == 0 {
		return errors.New("no case was printed")
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d cases differ between the backends:\n%s", len(failed), len(results)+len(t.objects), strings.Join(failed, "\n"))
	}
	t.s.Say("%d cases the same by both backends, %d known differences, %d of %d defects refused by the toolchain, %d of %d seen in objects; booted in %s (report: %s)",
		len(results)-allowedCases, allowedCases, len(t.refused), len(t.expected.Defects), t.defectObjects(), len(t.objects), ui.Seconds(t.took), t.s.Relative(t.report.File))
	return nil
}

// fails tells whether a difference is none that this toolchain may have.
func (t *diffTests) fails(r difftest.Result) bool {
	return r.Differs() && (r.Known == nil || t.applied[r.Known.Patch])
}

// defectObjects counts the objects that show their defect.
func (t *diffTests) defectObjects() int {
	n := 0
	for _, o := range t.objects {
		if o.shows != "" {
			n++
		}
	}
	return n
}

func aboutIssue(d difftest.Defect) string {
	if d.Issue == "" {
		return ""
	}
	return ", " + d.Issue
}

// writeReport writes JUnit's XML: a case for each case and object, and one for each defect that was refused.
func (t *diffTests) writeReport(results []difftest.Result) error {
	suite := junit.NewSuite("diff", "diff", t.took)
	for _, r := range results {
		switch {
		case t.fails(r):
			suite.Fail(r.Name, "the backends differ", r.String())
		case r.Differs():
			suite.Skip(r.Name)
		default:
			suite.Pass(r.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.refused)) {
		suite.Skip("defect " + name)
	}
	for _, o := range t.objects {
		switch {
		case o.shows != "" && t.applied[o.Patch]:
			suite.Fail("object "+o.Name, "the object shows a defect that is mended", o.shows)
		case o.shows != "":
			suite.Skip("object " + o.Name)
		default:
			suite.Pass("object " + o.Name)
		}
	}
	return t.report.Write(suite)
}
