package drift

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/targetspec"
)

// SpecFix is the command that writes the generated target JSON files.
const SpecFix = "mage target:spec -write"

// Specs compares every targets/<triple>.json with what its TOML gives for the pinned compiler, and finds
// JSON files that have no TOML. targets is the folder; prefix is put before the names of its files.
func Specs(targets fs.FS, prefix string, compiler targetspec.Compiler) ([]Finding, error) {
	triples, err := targetspec.Triples(targets)
	if err != nil {
		return nil, err
	}
	var found []Finding
	var wrong *multierror.Error
	for _, triple := range triples {
		f, err := spec(targets, prefix, triple, compiler)
		if err != nil {
			wrong = multierror.Append(wrong, err)
		}
		found = append(found, f...)
	}
	generated, err := fs.Glob(targets, "*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range generated {
		if !slices.Contains(triples, strings.TrimSuffix(name, ".json")) {
			found = append(found, Finding{
				Kind: TargetSpec, File: path.Join(prefix, name), Expected: "a TOML file that it is generated from", Fix: "rm " + path.Join(prefix, name),
			})
		}
	}
	return found, wrong.ErrorOrNil()
}

func spec(targets fs.FS, prefix, triple string, compiler targetspec.Compiler) ([]Finding, error) {
	s, err := targetspec.Load(targets, triple)
	if err != nil {
		return nil, err
	}
	want, err := s.JSON(compiler)
	if err != nil {
		return nil, err
	}
	f := Finding{Kind: TargetSpec, File: path.Join(prefix, triple+".json"), Fix: SpecFix}
	got, err := fs.ReadFile(targets, triple+".json")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Expected = "the JSON of " + path.Join(prefix, triple+".toml")
	case err != nil:
		return nil, err
	case string(got) == string(want):
		return nil, nil
	default:
		f.Line, f.Expected, f.Found = firstDifference(want, got)
		f.Expected, f.Found = orEnd(f.Expected), orEnd(f.Found)
	}
	return []Finding{f}, nil
}

func orEnd(line string) string {
	if line == "" {
		return "the end of the file"
	}
	return line
}

// Generated compares generated files with what the generator gives. got has the files that are there.
func Generated(want, got map[string][]byte, fix string) []Finding {
	var found []Finding
	for name, text := range want {
		present, ok := got[name]
		if ok && string(present) == string(text) {
			continue
		}
		f := Finding{Kind: Magefile, File: name, Expected: "a target for every recipe", Fix: fix}
		if ok {
			f.Line, f.Expected, f.Found = firstDifference(text, present)
			f.Expected, f.Found = orEnd(f.Expected), orEnd(f.Found)
		}
		found = append(found, f)
	}
	return found
}

// Patches applies the series of a source to it, in memory, and reports conflicts. The tree of s has
// the series' changes afterwards, except those of a series in conflict. patches is the folder of
// all series and prefix is put before the names of its files.
func Patches(ctx context.Context, patches fs.FS, prefix string, s *Source) ([]Finding, []SeriesState, error) {
	var found []Finding
	var states []SeriesState
	for _, name := range s.Series {
		series, err := patch.Load(patches, name)
		if err != nil {
			return found, states, err
		}
		report, err := patch.Apply(ctx, series, s.Tree, patch.Options{})
		if report == nil {
			return found, states, fmt.Errorf("series %s on %s: %w", name, s.Name, err)
		}
		states = append(states, SeriesState{s.Name, name, report.Summary()})
		for _, result := range report.Results {
			if result.Status == patch.Conflict {
				found = append(found, conflict(patches, prefix, name, s, result))
			}
		}
	}
	return found, states, nil
}

func conflict(patches fs.FS, prefix, series string, s *Source, result patch.Result) Finding {
	name := path.Join(prefix, series, result.Patch)
	text, _ := fs.ReadFile(patches, path.Join(series, result.Patch)) // without it there is just no line
	f := Finding{
		Kind: PatchSeries, File: name, Line: partLine(text, result.Part), Expected: "to apply to " + s.Name + " or to be satisfied there",
		Found: "conflict in " + result.File + ": " + result.Detail, Fix: "edit " + name + " by hand, then mage drift",
	}
	if len(result.Candidates) > 0 {
		f.Fix = fmt.Sprintf("edit %s by hand (nearest: %s), then mage drift", name, strings.TrimSpace(result.Candidates[0].String()))
	}
	return f
}

// partLine is where "edit 2" or "file 1" of a patch begins.
func partLine(text []byte, part string) int {
	kind, number, _ := strings.Cut(part, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return nthLine(text, "[["+kind+"]]", n)
}

// Stage is a staged tree that was exported, and what would build it now.
type Stage struct {
	Recipe string
	// Dir is its folder, a slash path below the checkout; Files is the folder itself. The staged tree
	// is in root/, its manifest is manifest.json.
	Dir   string
	Files fs.FS
	// Toolchain is the name of the toolchain in use, Spec the SHA-256 of the target JSON for it.
	Toolchain, Spec string
}

// Objects compares an exported sysroot with what would build it now: by its manifest the toolchain and
// the target spec, and every object with the digest that the build recorded for it.
func Objects(s Stage) ([]Finding, error) {
	fix := "mage recipe:build " + s.Recipe
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
func foreignObjects(s Stage, m *manifest.Manifest, fix string) ([]Finding, error) {
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
