package session

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/build"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/recipe"
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
	*Session
	expected *difftest.Expected
	refused  map[string]string // defects that the toolchain has: name -> what it said
	dir      string            // holds programs/, the image and the kernel
	programs []string          // below bin/
	image    build.ImageRecord
	run      *difftest.Run
	took     time.Duration
}

// TestDiff compiles the differential tests by both backends, boots them, and compares what they print.
func (s *Session) TestDiff(ctx context.Context) error {
	t := &diffTests{Session: s, refused: map[string]string{}}
	// A report of an earlier run must not pass for this one's.
	if err := os.Remove(t.report()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var err error
	if t.expected, err = s.expectedDifferences(); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "redox-clif-diff-*"); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
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

func (s *Session) expectedDifferences() (*difftest.Expected, error) {
	file := filepath.Join(s.Config.Root, "recipes", diffRecipe, "expected.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	expected, err := difftest.ReadExpected(s.relative(file), text)
	if err != nil {
		return nil, err
	}
	r, err := s.recipe(defectsRecipe)
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
		return nil, fmt.Errorf("%s lists the defects %v, step %s of %s builds %v", s.relative(file), names, tested, r.Path, step.Bins)
	}
	return expected, nil
}

// build tries every defect by itself, and builds all that the toolchain can.
func (t *diffTests) build(ctx context.Context) (*Built, error) {
	// The reference and everything else first: what fails here is no defect of Cranelift's.
	others := t.withDefects(nil)
	built, err := t.buildStages(ctx, others)
	if err != nil || built == nil {
		return nil, err
	}
	var compiled []string
	for _, d := range t.expected.Defects {
		said, err := t.try(ctx, d)
		if err != nil {
			return nil, err
		}
		if said == "" {
			compiled = append(compiled, d.Name)
			continue
		}
		t.refused[d.Name] = said
	}
	if len(compiled) == 0 {
		return built, nil
	}
	return t.buildStages(ctx, t.withDefects(compiled))
}

// withDefects are the recipes with only some of the defects' programs by Cranelift.
func (t *diffTests) withDefects(names []string) recipe.Set {
	set := maps.Clone(t.Recipes)
	r := *set[defectsRecipe]
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		if r.Steps[i].Name == tested {
			r.Steps[i].Bins = names
		}
	}
	r.Files = slices.DeleteFunc(slices.Clone(r.Files), func(f recipe.File) bool {
		from, name, _ := strings.Cut(f.From, "/")
		return from == tested && !slices.Contains(names, name)
	})
	set[defectsRecipe] = &r
	return set
}

func (t *diffTests) buildStages(ctx context.Context, recipes recipe.Set) (*Built, error) {
	return t.with(recipes).Build(ctx, false, func(b *build.Builder) ([]*graph.Node, error) {
		tests, err := b.Stage(diffRecipe)
		if err != nil {
			return nil, err
		}
		defects, err := b.Stage(defectsRecipe)
		if err != nil {
			return nil, err
		}
		// The demo's image lends its bootstrap.
		demo, err := b.Initfs("demo")
		if err != nil {
			return nil, err
		}
		kernel, _, err := b.Kernel("demo")
		return []*graph.Node{tests, defects, demo, kernel}, err
	})
}

// with is the session with other recipes.
func (t *diffTests) with(recipes recipe.Set) *Session {
	s := *t.Session
	s.Recipes = recipes
	return &s
}

// try compiles the program of one defect by Cranelift. It returns what the toolchain said if it refused it in the way
// that is described, and an error if in another way.
func (t *diffTests) try(ctx context.Context, d difftest.Defect) (string, error) {
	_, err := t.with(t.withDefects([]string{d.Name})).Build(ctx, false, func(b *build.Builder) ([]*graph.Node, error) {
		n, err := b.Stage(defectsRecipe)
		return []*graph.Node{n}, err
	})
	if err == nil || ctx.Err() != nil {
		return "", err
	}
	log, readErr := os.ReadFile(filepath.Join(t.Config.Logs(), defectsRecipe+"."+tested+".log"))
	if readErr != nil {
		return "", err
	}
	refused, compileErr := regexp.Compile(d.Refused)
	if compileErr != nil {
		return "", compileErr
	}
	said := refused.FindString(string(log))
	if said == "" {
		return "", fmt.Errorf("%s is refused, and not in the way that is known (%s): %w", d.Name, d.Refused, err)
	}
	return said, nil
}

// pack makes an image of both stages and the demo's bootstrap.
func (t *diffTests) pack(ctx context.Context, built *Built) error {
	root := filepath.Join(t.dir, "programs")
	for i, name := range []string{diffRecipe, defectsRecipe} {
		stage, err := t.Store.LoadTree(built.Output(i))
		if err != nil {
			return err
		}
		for _, p := range stage.Paths() {
			e, below := stage.Entries[p], strings.TrimPrefix(p, "root/")
			if e.Dir || below == p {
				continue
			}
			if err := t.place(ctx, e, filepath.Join(root, filepath.FromSlash(below))); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			program := strings.TrimPrefix(below, "bin/")
			if _, refused := t.refused[path.Base(program)]; strings.Contains(program, "/") && !refused {
				t.programs = append(t.programs, program)
			}
		}
	}
	slices.SortFunc(t.programs, byReferenceFirst)
	demo, err := t.output(built, 2, build.ImageName)
	if err != nil {
		return err
	}
	if err := t.place(ctx, demo, filepath.Join(t.dir, "demo.img")); err != nil {
		return err
	}
	r, err := t.recipe("demo")
	if err != nil {
		return err
	}
	ref, err := recipe.ParseRef(r.Boot.Kernel)
	if err != nil {
		return err
	}
	kernel, err := t.output(built, 3, ref.Path)
	if err != nil {
		return err
	}
	if err := t.place(ctx, kernel, filepath.Join(t.dir, kernelName)); err != nil {
		return err
	}
	return t.writeImage(ctx, root)
}

// byReferenceFirst puts the reference before the tested, and in both the programs that may end badly last.
func byReferenceFirst(a, b string) int {
	rank := func(program string) int {
		backend, name, _ := strings.Cut(program, "/")
		n := 0
		if backend == tested {
			n = 10
		}
		switch name {
		case "simd":
			n++
		case "panics":
			n += 2
		}
		return n
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func (t *diffTests) output(built *Built, i int, file string) (cas.Entry, error) {
	e, ok, err := t.Store.Lookup(built.Output(i), file)
	if err == nil && !ok {
		err = fmt.Errorf("%s did not make %s", built.Roots[i].ID, file)
	}
	return e, err
}

func (t *diffTests) place(ctx context.Context, e cas.Entry, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if e.Executable {
		mode = 0o755
	}
	return t.Store.PlaceFile(ctx, e.Digest, file, mode)
}

func (t *diffTests) writeImage(ctx context.Context, root string) error {
	demo, err := initfs.OpenFile(filepath.Join(t.dir, "demo.img"))
	if err != nil {
		return err
	}
	defer demo.Close()
	tree, err := initfs.FromDir(root, initfs.DirOptions{KeepPerm: true})
	if err != nil {
		return err
	}
	image := filepath.Join(t.dir, build.ImageName)
	if _, err := initfs.WriteFile(ctx, image, initfs.Spec{Version: initfs.V1, Root: tree,
		Bootstrap: initfs.Bootstrap{Content: demo.Bootstrap, Entry: demo.Entry}}); err != nil {
		return err
	}
	whole, err := cas.DigestFile(image)
	if err != nil {
		return err
	}
	boot, err := contentBytes(demo.Bootstrap)
	if err != nil {
		return err
	}
	own := cas.DigestBytes(boot)
	t.image = build.ImageRecord{Size: whole.Size, SHA256: whole.Hash, BootstrapSize: own.Size, BootstrapSHA256: own.Hash}
	return nil
}

// boot runs all programs and reads what they print. A trace names one case to be printed item by item.
func (t *diffTests) boot(ctx context.Context, name, trace string) (*difftest.Run, error) {
	program, err := qemu.Find("aarch64", func(name string) (string, error) {
		if path := t.lookPath(name); path != "" {
			return path, nil
		}
		return "", os.ErrNotExist
	})
	if err != nil {
		return nil, err
	}
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	settings := nonce + ",programs=" + strings.Join(t.programs, "+")
	if trace != "" {
		settings += ",trace=" + trace
	}
	machine := qemu.VirtAArch64(program)
	machine.Memory = 256
	machine.Kernel = filepath.Join(t.dir, kernelName)
	machine.Append = fmt.Sprintf("%s watchdog=%d", bootArguments(&build.Manifest{Image: &t.image}, settings), diffWatchdog)
	machine.Loaders = []qemu.Loader{{File: filepath.Join(t.dir, build.ImageName), Addr: demoLoadAddress, Raw: true}}
	log := filepath.Join(t.Config.Logs(), name+".serial.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return nil, err
	}
	script := qemu.Script{PowerOff: true, Steps: []qemu.Step{{Name: "the end of all programs", Pattern: regexp.MustCompile("^difftest: done nonce=" + nonce + "$")}}}
	result, err := qemu.Run(ctx, machine, script, qemu.Options{
		Limits: qemu.Limits{Silence: diffWatchdog * time.Second, Total: 2 * diffWatchdog * time.Second}, Log: log, Env: t.toolEnv(),
	})
	if err != nil {
		return nil, err
	}
	t.took += result.Elapsed
	serial, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	run, err := difftest.Parse(string(serial))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.relative(log), err)
	}
	if err := result.Err(); err != nil {
		// A program that faults ends the machine; what was printed until then is compared all the same, and
		// what is missing says where it happened.
		if len(run.Outputs) == 0 {
			return nil, err
		}
		t.say("the boot did not come to its end: %v", err)
	}
	return run, nil
}

// trace boots again for cases that differ and are only known by a hash.
func (t *diffTests) trace(ctx context.Context, results []difftest.Result) error {
	traced := 0
	for i := range results {
		r := &results[i]
		if !r.Differs() || r.Known != nil || traced == maxTraced || !strings.Contains(r.Reference+r.Tested, " items, hash ") {
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
			t.say("known difference in %d cases (%s): %s (notes/%s)", len(names), strings.Join(names, ", "), k.Reason, k.Note)
		} else {
			t.say("this toolchain is without a known difference: %s", k.Reason)
		}
	}
	for _, d := range t.expected.Defects {
		if said, ok := t.refused[d.Name]; ok {
			t.say("refused as known: %s: %q%s (notes/%s)", d.Name, said, aboutIssue(d), d.Note)
		}
	}
	if err := t.writeReport(results); err != nil {
		return err
	}
	if len(results) == 0 {
		return errors.New("no case was printed")
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d cases differ between the backends:\n%s", len(failed), len(results), strings.Join(failed, "\n"))
	}
	t.say("%d cases the same by both backends, %d known differences, %d of %d defects refused by the toolchain; booted in %s (report: %s)",
		len(results)-allowedCases, allowedCases, len(t.refused), len(t.expected.Defects), ui.Seconds(t.took), t.relative(t.report()))
	return nil
}

func aboutIssue(d difftest.Defect) string {
	if d.Issue == "" {
		return ""
	}
	return ", " + d.Issue
}

func (t *diffTests) report() string { return filepath.Join(t.Config.Out(), "test", "diff.xml") }

// writeReport writes JUnit's XML: a case for each case, and one for each defect that was refused.
func (t *diffTests) writeReport(results []difftest.Result) error {
	suite := junitSuite{Name: "diff", Time: fmt.Sprintf("%.1f", t.took.Seconds())}
	for _, r := range results {
		c := junitCase{Name: r.Name, Class: "diff"}
		switch {
		case r.Differs() && r.Known == nil:
			c.Failure = &junitFailure{Message: "the backends differ", Text: r.String()}
			suite.Failures++
		case r.Differs():
			c.Skipped = &struct{}{}
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, name := range slices.Sorted(maps.Keys(t.refused)) {
		suite.Cases = append(suite.Cases, junitCase{Name: "defect " + name, Class: "diff", Skipped: &struct{}{}})
	}
	suite.Tests = len(suite.Cases)
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(t.report()), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(t.report(), append([]byte(xml.Header), append(text, '\n')...), 0o644)
}
