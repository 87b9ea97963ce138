package compare

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// compileObjects compiles the programs whose object file is looked at. LLVM's has to be as it should; what is seen of the defect in
// Cranelift's is kept.
func (t *diffTests) compileObjects(ctx context.Context) error {
	spec, err := targetspec.Load(os.DirFS(t.s.Config.Targets()), t.s.Config.Target)
	if err != nil {
		return err
	}
	c := &objectCompiler{
		dir: t.dir, run: toolchain.Exec(t.s.ToolEnv()), tools: t.tool, spec: spec,
		sources: os.DirFS(filepath.Join(t.s.Config.Root, "recipes", diffRecipe, "objects")),
	}
	for i := range t.expected.Objects {
		o := &t.expected.Objects[i]
		defect, err := c.compile(ctx, o, difftest.Reference)
		if err == nil && defect != "" {
			err = fmt.Errorf("by %s it is not as it should be either: %s", difftest.Reference, defect)
		}
		if err == nil {
			defect, err = c.compile(ctx, o, difftest.Tested)
		}
		if err != nil {
			return fmt.Errorf("object %s: %w", o.Name, err)
		}
		t.found.Objects = append(t.found.Objects, difftest.ObjectResult{Object: o, Defect: defect})
	}
	return nil
}

// objectCompiler compiles them.
type objectCompiler struct {
	dir     string // scratch
	run     toolchain.Runner
	tools   *session.Toolchain
	spec    *targetspec.Spec
	sources fs.FS
}

// compile returns what is seen of the defect, "" if nothing is; the error is for all that is not known of it.
func (c *objectCompiler) compile(ctx context.Context, o *difftest.Object, backend string) (defect string, err error) {
	stem := filepath.Join(c.dir, backend+"-"+o.Name)
	if err := c.writeInput(o, stem); err != nil {
		return "", err
	}
	argv := append([]string{c.tools.Rustc, "-Zunstable-options", "--target=" + stem + ".json", "--edition=2024", "--crate-type=lib", "-Cpanic=abort", "-Copt-level=3",
		"-Ccodegen-units=1", "-Zmetrics-dir=" + c.dir, "--emit=obj=" + stem + ".o", stem + ".rs"}, toolchain.RustcBackendFlags(toolchain.Backend(backend))...)
	_, stderr, runErr := c.run(ctx, argv...)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	file, readErr := os.ReadFile(stem + ".o")
	if runErr != nil || readErr != nil { // with status 0 and no file as well
		file = nil
	}
	if defect, err = o.Inspect(file, string(stderr)); err != nil {
		return "", fmt.Errorf("by %s: %w", backend, err)
	}
	return defect, nil
}

// writeInput writes the program and its target specification.
func (c *objectCompiler) writeInput(o *difftest.Object, stem string) error {
	program, err := o.Program(c.sources)
	if err != nil {
		return err
	}
	spec, err := c.spec.JSON(c.tools.Caps.Compiler())
	if err != nil {
		return err
	}
	if spec, err = o.TargetSpec(spec); err != nil {
		return err
	}
	if err := os.WriteFile(stem+".json", spec, 0o644); err != nil {
		return err
	}
	return os.WriteFile(stem+".rs", program, 0o644)
}
