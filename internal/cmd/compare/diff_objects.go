package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// objectResult is what became of a program that is compiled only.
type objectResult struct {
	*difftest.Object
	shows string // of the defect; "": mended
}

// seriesOfBackend is the series whose patches the tests name.
const seriesOfBackend = "cg_clif"

// appliedPatches are the patches of the backend that a toolchain says it was built with, as the tests name them.
func appliedPatches(found *toolchain.Toolchain) map[string]bool {
	applied := map[string]bool{}
	m := session.ManifestOf(found)
	if m == nil {
		return applied // from elsewhere: what it has comes from trying
	}
	for _, text := range m.Applied {
		file, _, _ := strings.Cut(text, ": ")
		if name, ok := strings.CutPrefix(strings.TrimSuffix(file, ".toml"), seriesOfBackend+"/"); ok {
			applied[name] = true
		}
	}
	return applied
}

// compileObjects compiles the programs whose object file is looked at. LLVM's has to be as it should; so has Cranelift's where
// the toolchain was built with the patch, and otherwise what is seen of the defect is in the result.
func (t *diffTests) compileObjects(ctx context.Context) error {
	c := &objectCompiler{dir: t.dir, run: toolchain.Exec(t.s.ToolEnv()), sources: os.DirFS(filepath.Join(t.s.Config.Root, "recipes", diffRecipe, "objects"))}
	var err error
	if c.spec, err = targetspec.Load(os.DirFS(t.s.Config.Targets()), t.s.Config.Target); err != nil {
		return err
	}
	c.tools = t.tool
	for i := range t.expected.Objects {
		o := &t.expected.Objects[i]
		shows, err := c.compile(ctx, o, reference)
		if err == nil && shows != "" {
			err = fmt.Errorf("by %s it is not as it should be either: %s", reference, shows)
		}
		if err == nil {
			shows, err = c.compile(ctx, o, tested)
		}
		if err != nil {
			return fmt.Errorf("object %s: %w", o.Name, err)
		}
		t.objects = append(t.objects, objectResult{o, shows})
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
func (c *objectCompiler) compile(ctx context.Context, o *difftest.Object, backend string) (shows string, err error) {
	stem := filepath.Join(c.dir, backend+"-"+o.Name)
	spec, err := c.writeInput(o, stem)
	if err != nil {
		return "", err
	}
	argv := append([]string{c.tools.Rustc, "-Zunstable-options", "--target=" + spec, "--edition=2024", "--crate-type=lib", "-Cpanic=abort", "-Copt-level=3",
		"-Ccodegen-units=1", "-Zmetrics-dir=" + c.dir, "--emit=obj=" + stem + ".o", stem + ".rs"}, toolchain.RustcBackendFlags(toolchain.Backend(backend))...)
	_, stderr, runErr := c.run(ctx, argv...)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	object, readErr := os.ReadFile(stem + ".o")
	if runErr != nil || readErr != nil { // with status 0 and no file as well
		if said := regexp.MustCompile(o.Refused).FindString(string(stderr)); said != "" {
			return said, nil
		}
		return "", fmt.Errorf("%s makes no object file, and not in the way that is known (%q):\n%s", backend, o.Refused, stderr)
	}
	list, err := difftest.List(object)
	if err != nil {
		return "", err
	}
	return strings.Join(o.Faults(list), "; "), nil
}

// writeInput writes the program and its target specification, and returns the path of the latter.
func (c *objectCompiler) writeInput(o *difftest.Object, stem string) (string, error) {
	var program []byte
	for _, name := range []string{"core", o.Name} {
		text, err := fs.ReadFile(c.sources, name+".rs")
		if err != nil {
			return "", err
		}
		program = append(program, text...)
	}
	text, err := c.spec.JSON(c.tools.Caps.Compiler())
	if err != nil {
		return "", err
	}
	spec := map[string]any{}
	if err := json.Unmarshal(text, &spec); err != nil {
		return "", err
	}
	for key, value := range o.Spec {
		spec[key] = value
	}
	if text, err = json.Marshal(spec); err != nil {
		return "", err
	}
	if err := os.WriteFile(stem+".json", text, 0o644); err != nil {
		return "", err
	}
	return stem + ".json", os.WriteFile(stem+".rs", program, 0o644)
}
