package drift

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/targetspec"
)

// Sysroot is an exported sysroot that would be built otherwise now.
const Sysroot Kind = "sysroot"

func sysrootFix(recipe string) string { return "mage recipe:build " + recipe }

func checkSysroots(_ context.Context, in *inputs, r *Report) error {
	var wrong *multierror.Error
	for _, name := range in.checkout.sysroots() {
		dir := filepath.Join(in.checkout.Out, name)
		if _, err := os.Stat(dir); err != nil {
			continue // nothing was exported, so there is nothing that could be linked against by mistake
		}
		caps := in.toolchain.Caps
		if caps == nil {
			r.skip(Sysroot, in.checkout.relative(dir), errs.FirstLine(in.toolchain.Problem.Error()), installFix)
			continue
		}
		spec, err := in.checkout.userSpec(caps.Compiler())
		if err != nil {
			return err
		}
		found, err := compareStage(stage{name, in.checkout.relative(dir), os.DirFS(dir), caps.Version.Name(), cas.DigestBytes(spec).Hash})
		r.add(found...)
		wrong = multierror.Append(wrong, err)
	}
	return errs.One(wrong)
}

// userSpec is the JSON of the user-space target.
func (c *Checkout) userSpec(compiler targetspec.Compiler) ([]byte, error) {
	spec, err := targetspec.Load(os.DirFS(c.Targets), c.Target)
	if err != nil {
		return nil, err
	}
	return spec.JSON(compiler)
}

// sysroots are the recipes that steps link against, and those whose objects are in them.
func (c *Checkout) sysroots() []string {
	found := map[string]bool{}
	var add func(string)
	add = func(name string) {
		if r := c.Recipes[name]; r != nil && !found[name] {
			found[name] = true
			for _, need := range r.Requires() {
				add(need)
			}
		}
	}
	for _, r := range c.Recipes {
		for _, step := range r.Steps {
			add(step.Sysroot)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// stage is a staged tree that was exported, and what would build it now.
type stage struct {
	Recipe string
	// Dir is its folder, a slash path below the checkout; Files is the folder itself. The staged tree
	// is in root/, its manifest is manifest.json.
	Dir   string
	Files fs.FS
	// Toolchain is the name of the toolchain in use, Spec the SHA-256 of the target JSON for it.
	Toolchain, Spec string
}

// compareStage compares an exported sysroot with what would build it now: by its manifest the toolchain and
// the target spec, and every object with the digest that the build recorded for it.
func compareStage(s stage) ([]Finding, error) {
	fix := sysrootFix(s.Recipe)
	name := path.Join(s.Dir, manifest.FileName)
	text, err := fs.ReadFile(s.Files, manifest.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{Kind: Sysroot, File: name, Expected: "a manifest that tells where the objects come from", Fix: fix}}, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := manifest.Read(text)
	if err != nil {
		return []Finding{{Kind: Sysroot, File: name, Expected: "a manifest", Found: errs.FirstLine(err.Error()), Fix: fix}}, nil
	}
	var found []Finding
	for _, fact := range []struct{ key, what, want, got string }{
		{`"toolchain"`, "built by", s.Toolchain, m.Toolchain}, {`"spec_sha256"`, "built for target spec", s.Spec, m.Spec},
	} {
		if fact.want != fact.got {
			found = append(found, Finding{
				Kind: Sysroot, File: name, Line: lineWith(text, fact.key), Expected: fact.what + " " + fact.want, Found: fact.got, Fix: fix,
			})
		}
	}
	unknown, err := foreignObjects(s, m, fix)
	return append(found, unknown...), err
}

// foreignObjects lists the files of a stage that the build did not put there.
func foreignObjects(s stage, m *manifest.Manifest, fix string) ([]Finding, error) {
	var found []Finding
	recorded := map[string]manifest.File{}
	for _, f := range m.Files {
		recorded[f.Path] = f
	}
	err := fs.WalkDir(s.Files, "root", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(s.Files, p)
		if err != nil {
			return err
		}
		record, known := recorded[strings.TrimPrefix(p, "root/")]
		delete(recorded, strings.TrimPrefix(p, "root/"))
		f := Finding{Kind: Sysroot, File: path.Join(s.Dir, p), Fix: fix, Found: "sha256 " + cas.DigestBytes(text).Hash}
		switch {
		case !known:
			f.Expected = "no such file: its origin is not known"
		case f.Found != "sha256 "+record.SHA256:
			f.Expected = "sha256 " + record.SHA256
		default:
			return nil
		}
		found = append(found, f)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for p, record := range recorded {
		if record.Link == "" {
			found = append(found, Finding{Kind: Sysroot, File: path.Join(s.Dir, "root", p), Expected: "sha256 " + record.SHA256, Fix: fix})
		}
	}
	return found, err
}

func lineWith(text []byte, word string) int {
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, word) {
			return i + 1
		}
	}
	return 0
}
