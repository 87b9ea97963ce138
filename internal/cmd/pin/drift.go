package pin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/recipe/gen"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// Drift compares everything derived with what it is derived from. The error says that something drifted, or
// what kept it from looking. Sources that are not here are fetched unless -offline.
func Drift(ctx context.Context, s *session.Session, asJSON bool) error {
	r, failed := findDrift(ctx, s)
	if r == nil {
		return failed
	}
	if asJSON {
		failed = errors.Join(failed, ui.WriteJSON(s.Streams.Out, "drift", r))
	} else {
		printDrift(s, r)
	}
	if failed == nil && len(r.Findings) > 0 {
		failed = &DriftError{len(r.Findings)}
	}
	return failed
}

// DriftError says that something drifted; the findings are printed already.
type DriftError struct{ Count int }

func (e *DriftError) Error() string {
	if e.Count == 1 {
		return "1 thing drifted"
	}
	return fmt.Sprintf("%d things drifted", e.Count)
}

func printDrift(s *session.Session, r *drift.Report) {
	out := s.Streams.Out
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%s: %s\n    expected: %s\n    found:    %s\n    mend:     %s\n", f.Kind, f.Place(), f.Expected, ui.Dash(f.Found), f.Fix)
		if s.Config.GitHub {
			fmt.Fprintln(out, f.Annotation())
		}
	}
	for _, u := range r.Unchecked {
		fmt.Fprintf(out, "not checked: %s: %s (%s): %s\n", u.Kind, u.What, u.Why, u.Fix)
	}
	for _, p := range r.Patches {
		fmt.Fprintf(out, "patches/%s on %s: %s\n", p.Series, p.Source, p.Summary)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(out, "nothing that was compared drifted")
	}
}

// findDrift runs every comparison. One that cannot be made does not keep the others from being made: then
// there is a report and an error.
func findDrift(ctx context.Context, s *session.Session) (*drift.Report, error) {
	r := &drift.Report{}
	in, err := s.LookAtToolchain(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := checkedSources(ctx, s, !s.Config.Offline)
	if err != nil {
		return nil, err
	}
	var wrong *multierror.Error
	for _, compare := range []func() error{
		func() error { return driftFiles(s, r, in.Pin) },
		func() error { return driftWorkflows(s, r, in.Pin) },
		func() error { return driftToolchain(ctx, s, r, in) },
		func() error { return driftSpecs(s, r, in) },
		func() error { return driftSources(ctx, s, r, in.Pin, sources) },
		func() error { return driftMagefile(s, r) },
		func() error { return driftSysroots(s, r, in) },
	} {
		wrong = multierror.Append(wrong, compare())
	}
	r.Finish()
	return r, errs.One(wrong)
}

// driftFiles compares the toolchain files of this checkout with the pin.
func driftFiles(s *session.Session, r *drift.Report, pin *toolchain.Pin) error {
	files, err := toolchainFiles(s, nil)
	if err != nil {
		return err
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r.Add(drift.File(pin.Toolchain.Channel, "", "", filepath.ToSlash(s.Relative(path)), text)...)
	}
	return nil
}

func driftWorkflows(s *session.Session, r *drift.Report, pin *toolchain.Pin) error {
	workflows, err := workflows(s)
	for name, text := range workflows {
		r.Add(drift.WorkflowFile(pin.Toolchain.Channel, name, text)...)
	}
	return err
}

// driftToolchain compares the lock with the pin, and both with what is installed.
func driftToolchain(ctx context.Context, s *session.Session, r *drift.Report, in *session.InstalledToolchain) error {
	lock, err := toolchain.LoadLock(s.Config.PinLock())
	if err != nil {
		return err
	}
	lockText, err := os.ReadFile(s.Config.PinLock())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	pinText, err := os.ReadFile(s.Config.Pin())
	if err != nil {
		return err
	}
	name, channel := filepath.ToSlash(s.Relative(s.Config.PinLock())), in.Pin.Toolchain.Channel
	stale := drift.LockText(channel, name, lock, lockText)
	r.Add(stale...)
	switch {
	case in.Version == nil:
		r.Skip(drift.ToolchainLock, channel, errs.FirstLine(in.Problem.Error()), "mage toolchain:install")
		return nil
	case in.Toolchain.Provider != toolchain.FromRustup:
		r.Skip(drift.ToolchainLock, channel, "REDOX_TOOLCHAIN names another toolchain", "unset REDOX_TOOLCHAIN")
		return nil
	}
	r.Add(drift.PinExpectations(in.Pin, filepath.ToSlash(s.Relative(s.Config.Pin())), pinText, *in.Version)...)
	if len(stale) > 0 || in.Identity == nil {
		return nil
	}
	found, known := drift.Installed(name, lock, lockText, *in.Version, in.Identity)
	if len(found) > 0 {
		// Before anybody reinstalls a toolchain, its files are read once more: the identity may
		// have been kept by another version of this program.
		if in.Identity, err = identifyAnew(ctx, in.Toolchain); err != nil {
			return err
		}
		found, _ = drift.Installed(name, lock, lockText, *in.Version, in.Identity)
	}
	r.Add(found...)
	if !known {
		r.Skip(drift.ToolchainLock, in.Version.Host, "nothing is locked for this host", "mage toolchain:lock")
	}
	return nil
}

// driftSpecs compares the generated target JSON files, which are written for the pinned compiler.
func driftSpecs(s *session.Session, r *drift.Report, in *session.InstalledToolchain) error {
	compiler, ok := pinnedCompiler(in)
	if !ok {
		r.Skip(drift.TargetSpec, "targets/*.json", "what rustc "+in.Pin.Expected.Release+" wants is not known without it", "mage toolchain:install")
		return nil
	}
	found, err := drift.Specs(os.DirFS(s.Config.Targets()), "targets", compiler)
	r.Add(found...)
	return err
}

// driftSources compares the sources with the pin and with what was locked, and applies their patches.
func driftSources(ctx context.Context, s *session.Session, r *drift.Report, pin *toolchain.Pin, sources []checkedSource) error {
	lock, text, err := drift.LoadLock(filepath.Join(s.Config.Root, filepath.FromSlash(drift.LockFile)))
	if err != nil {
		return err
	}
	r.Add(lock.Gone(lockedNames(sources), text)...)
	var wrong *multierror.Error
	for i := range sources {
		wrong = multierror.Append(wrong, driftSource(ctx, s, r, pin, lock, text, &sources[i]))
	}
	return errs.One(wrong)
}

func driftSource(ctx context.Context, s *session.Session, r *drift.Report, pin *toolchain.Pin, lock *drift.Lock, lockText []byte, src *checkedSource) error {
	if !src.local && src.Identity != "" {
		r.Add(lock.Identity(&src.Source, lockText)...)
	}
	if src.Tree == nil {
		for _, kind := range []drift.Kind{drift.ToolchainFile, drift.SourceLock, drift.PatchSeries} {
			if kind != drift.PatchSeries || len(src.Series) > 0 {
				r.Skip(kind, "source of "+src.Name, src.why, src.fix)
			}
		}
		return nil
	}
	if !src.local {
		r.Add(lock.Compare(&src.Source, lockText)...)
		if src.Overridden {
			r.Skip(drift.SourceLock, "source of "+src.Name, "it is overridden", "build without the override")
		}
	}
	found, states, err := drift.Patches(ctx, os.DirFS(s.Config.Patches()), "patches", &src.Source)
	r.Add(found...)
	r.Patches = append(r.Patches, states...)
	switch {
	case err != nil || src.local:
		return err // the files of this checkout are looked at by driftFiles
	case src.folder != "":
		return driftFolder(s, r, pin, src)
	}
	found, err = drift.SourceFiles(pin.Toolchain.Channel, &src.Source)
	r.Add(found...)
	return err
}

// driftFolder looks at a folder of the user's as it is, where links to the pin lead somewhere.
func driftFolder(s *session.Session, r *drift.Report, pin *toolchain.Pin, src *checkedSource) error {
	files, err := toolchain.FindToolchainFiles(src.folder)
	if err != nil {
		return err
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, src.folder+string(filepath.Separator)))
		r.Add(drift.File(pin.Toolchain.Channel, src.Name, src.Recipe, name, text)...)
	}
	return nil
}

// lockedNames are the sources that recipes/lock.toml is to have.
func lockedNames(sources []checkedSource) []string {
	var names []string
	for _, src := range sources {
		if !src.local && src.Identity != "" {
			names = append(names, src.Name)
		}
	}
	return names
}

func driftMagefile(s *session.Session, r *drift.Report) error {
	got := map[string][]byte{}
	for _, name := range []string{gen.TargetsFile, gen.AliasesFile} {
		text, err := os.ReadFile(filepath.Join(s.Config.Root, filepath.FromSlash(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			got[name] = text
		}
	}
	if got[gen.AliasesFile] == nil {
		r.Add(drift.Finding{Kind: drift.Magefile, File: gen.AliasesFile, Expected: "the file with the aliases of the targets", Fix: "git checkout " + gen.AliasesFile})
		return nil
	}
	want, err := gen.Files(s.Recipes, got[gen.AliasesFile])
	if err != nil {
		return err
	}
	r.Add(drift.Generated(want, got, gen.Command)...)
	return nil
}

// driftSysroots compares the sysroots that lie in out/ with what would build them now.
func driftSysroots(s *session.Session, r *drift.Report, in *session.InstalledToolchain) error {
	var wrong *multierror.Error
	for _, name := range sysroots(s) {
		dir := filepath.Join(s.Config.Out(), name)
		if _, err := os.Stat(dir); err != nil {
			continue // nothing was exported, so there is nothing that could be linked against by mistake
		}
		if in.Caps == nil {
			r.Skip(drift.Sysroot, filepath.ToSlash(s.Relative(dir)), errs.FirstLine(in.Problem.Error()), "mage toolchain:install")
			continue
		}
		spec, err := specFor(s, in.Caps.Compiler())
		if err != nil {
			return err
		}
		t := &session.Toolchain{Pin: in.Pin, Toolchain: in.Toolchain, Identity: in.Identity, Caps: in.Caps}
		found, err := drift.Objects(drift.Stage{
			Recipe: name, Dir: filepath.ToSlash(s.Relative(dir)), Files: os.DirFS(dir), Toolchain: t.Name(), Spec: cas.DigestBytes(spec).Hash,
		})
		r.Add(found...)
		wrong = multierror.Append(wrong, err)
	}
	return errs.One(wrong)
}

func specFor(s *session.Session, compiler targetspec.Compiler) ([]byte, error) {
	spec, err := targetspec.Load(os.DirFS(s.Config.Targets()), s.Config.Target)
	if err != nil {
		return nil, err
	}
	return spec.JSON(compiler)
}

// sysroots are the recipes that steps link against, and those whose objects are in them.
func sysroots(s *session.Session) []string {
	found := map[string]bool{}
	var add func(string)
	add = func(name string) {
		if r := s.Recipes[name]; r != nil && !found[name] {
			found[name] = true
			for _, need := range r.Requires() {
				add(need)
			}
		}
	}
	for _, r := range s.Recipes {
		for _, step := range r.Steps {
			add(step.Sysroot)
		}
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// DriftLock writes down what the pinned sources hold now. What is not here or overridden keeps what was
// locked for it before, and when nothing fitting was, the error says so.
func DriftLock(ctx context.Context, s *session.Session) error {
	sources, err := checkedSources(ctx, s, !s.Config.Offline)
	if err != nil {
		return err
	}
	path := filepath.Join(s.Config.Root, filepath.FromSlash(drift.LockFile))
	lock, _, err := drift.LoadLock(path)
	if err != nil {
		return err
	}
	var wrong *multierror.Error
	changed := lock.Prune(lockedNames(sources))
	for i := range sources {
		src := &sources[i]
		if src.local || src.Identity == "" {
			continue
		}
		did, err := lockSource(s, lock, src)
		if err != nil {
			wrong = multierror.Append(wrong, err)
		}
		if did {
			s.Say("%s: locked %s", src.Name, src.Identity)
		}
		changed = changed || did
	}
	if changed {
		if err := lock.Write(path); err != nil {
			return err
		}
	}
	s.Say("%s: %d sources", drift.LockFile, len(lock.Source))
	return errs.One(wrong)
}

func lockSource(s *session.Session, lock *drift.Lock, src *checkedSource) (bool, error) {
	if src.Tree != nil && !src.Overridden {
		return lock.Record(&src.Source)
	}
	if lock.Source[src.Name].Identity == src.Identity {
		return false, nil
	}
	why := src.why
	if src.Overridden {
		why = "it is overridden"
	}
	return false, fmt.Errorf("%s is not locked: %s", src.Name, why)
}
