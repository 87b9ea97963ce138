package pin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/tomledit"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// Show shows the pin, what is installed and what it can do. With probe, what was measured before
// is forgotten first.
func Show(ctx context.Context, s *session.Session, asJSON, probe bool) error {
	if probe {
		if err := forgetProbes(s); err != nil {
			return err
		}
	}
	i, err := s.LookAtToolchain(ctx)
	if err != nil {
		return err
	}
	report := toolchain.NewReport(i.Pin, i.Toolchain, i.Identity, i.Caps, i.Problem)
	built, err := s.BuiltToolchains().List()
	if err != nil {
		return err
	}
	manifest := session.ManifestOf(i.Toolchain)
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "toolchain:show", builtReport{report, manifest, built})
	}
	if err := report.WriteTable(s.Streams.Out); err != nil {
		return err
	}
	return showBuilt(s, manifest, built)
}

func forgetProbes(s *session.Session) error {
	found, err := globdir.In(s.Config.Toolchains(), "probe-*.json")
	for _, path := range found {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// Install has rustup install the pin, and with cranelift the backend's component too.
func Install(ctx context.Context, s *session.Session, cranelift bool) error {
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return err
	}
	if s.Config.Offline {
		return fmt.Errorf("%s cannot be installed with -offline", pin.Toolchain.Channel)
	}
	env := append(s.ToolEnv(), s.Config.NetworkEnv...)
	err = toolchain.Install(ctx, s.LookPath("rustup"), pin, cranelift, toolchain.ExecLines(env), func(line string) { s.Say("  %s", line) })
	if none := (*toolchain.NoComponent)(nil); errors.As(err, &none) && cranelift {
		return fmt.Errorf("%w\n%s itself is installed. Ways to Cranelift: a toolchain directory that has it (REDOX_TOOLCHAIN=DIR), "+
			"another server for rustup (RUSTUP_DIST_SERVER), or LLVM (-backend='llvm:*')", err, pin.Toolchain.Channel)
	}
	if err != nil {
		return err
	}
	s.Say("%s is installed; `mage toolchain:show` tells what it can do", pin.Toolchain.Channel)
	return nil
}

// Lock writes down what the installed toolchain is, and what the pin expects where it does not say; with
// REDOX_TOOLCHAIN, what a toolchain that was built from sources was made of.
func Lock(ctx context.Context, s *session.Session) error {
	i, err := s.LookAtToolchain(ctx)
	if err != nil {
		return err
	}
	if s.Config.Toolchain != "" {
		return recordBuilt(ctx, s, i)
	}
	if i.Identity == nil {
		return i.Problem
	}
	if err := i.Pin.Verify(i.Toolchain, *i.Version); err != nil {
		return err
	}
	lock, err := toolchain.LoadLock(s.Config.PinLock())
	if err != nil {
		return err
	}
	identity, err := identifyAnew(ctx, i.Toolchain)
	if err != nil {
		return err
	}
	lock.Record(i.Pin.Toolchain.Channel, *i.Version, identity)
	if err := lock.Write(s.Config.PinLock()); err != nil {
		return err
	}
	s.Say("%s: %s on %s, rustc %s", s.Relative(s.Config.PinLock()), lock.Channel, i.Version.Host, i.Version.Commit)
	return expect(s, i)
}

// identifyAnew reads every file of a toolchain, whatever was kept of it: about half a gigabyte.
func identifyAnew(ctx context.Context, t *toolchain.Toolchain) (_ *toolchain.Identity, err error) {
	dir, err := os.MkdirTemp("", "redox-clif-identity-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return t.Identify(ctx, dir)
}

// expect fills in what the pin expects of its channel, which a change of the channel leaves empty.
func expect(s *session.Session, i *session.InstalledToolchain) error {
	text, err := os.ReadFile(s.Config.Pin())
	if err != nil {
		return err
	}
	doc, err := tomledit.Parse(text)
	if err != nil {
		return err
	}
	for key, fact := range map[string][2]string{
		"release": {i.Pin.Expected.Release, i.Version.Release}, "commit": {i.Pin.Expected.Commit, i.Version.Commit},
	} {
		if fact[0] != "" || key == "commit" && len(fact[1]) != 40 {
			continue
		}
		if err := doc.Set(fact[1], "expected", key); err != nil {
			return err
		}
		s.Say("%s: expects %s %s from now on", s.Relative(s.Config.Pin()), key, fact[1])
	}
	if string(doc.Bytes()) == string(text) {
		return nil
	}
	return renameio.WriteFile(s.Config.Pin(), doc.Bytes(), 0o644)
}

// Pin changes the one pin and everything that names a toolchain: the files of this checkout,
// those in folders that take the place of sources, workflows, and by patch series those of foreign
// sources. Either all of it is changed or nothing is.
func Pin(ctx context.Context, s *session.Session, channel string, link bool) error {
	repin := toolchain.Repin{Channel: channel, Pin: s.Config.Pin(), Link: link}
	sources, err := checkedSources(ctx, s, false)
	if err != nil {
		return err
	}
	if repin.Files, err = toolchainFiles(s, sources); err != nil {
		return err
	}
	if repin.Also, err = filesNaming(s, channel, sources); err != nil {
		return err
	}
	var changes []toolchain.Change
	if s.Config.DryRun {
		changes, err = repin.Plan()
	} else {
		changes, err = toolchain.RewritePin(repin)
	}
	if err != nil {
		return err
	}
	showChanges(s, changes)
	for _, src := range sources {
		if src.Tree == nil {
			s.Say("not looked at: %s (%s); %s, then repeat this", src.Name, src.why, src.fix)
		}
	}
	return nil
}

func showChanges(s *session.Session, changes []toolchain.Change) {
	for _, c := range changes {
		what := c.Old + " -> " + c.New
		switch c.Old {
		case toolchain.NewFile:
			what = "new, carries " + c.New + " into a source"
		case toolchain.OtherText:
			what = "brought along"
		}
		fmt.Fprintf(s.Streams.Out, "%s: %s\n", s.Relative(c.Path), what)
	}
	switch {
	case len(changes) == 0:
		s.Say("nothing to change")
	case s.Config.DryRun:
		s.Say("%d files would be changed", len(changes))
	default:
		s.Say("%d files changed; next: mage toolchain:install, mage toolchain:lock, mage target:spec -write", len(changes))
	}
}

// toolchainFiles are those of this checkout and of the folders that take the place of sources.
func toolchainFiles(s *session.Session, sources []checkedSource) ([]string, error) {
	dirs := []string{s.Config.Root}
	for _, src := range sources {
		if src.folder != "" {
			dirs = append(dirs, src.folder)
		}
	}
	var files []string
	var wrong *multierror.Error
	for _, dir := range dirs {
		found, err := toolchain.FindToolchainFiles(dir)
		wrong = multierror.Append(wrong, err)
		files = append(files, found...)
	}
	out := filepath.Join(s.Config.Root, "out") + string(filepath.Separator)
	files = slices.DeleteFunc(files, func(path string) bool { return strings.HasPrefix(path, out) })
	slices.Sort(files)
	return slices.Compact(files), errs.One(wrong)
}

// filesNaming are the other files that have to name the channel, with the text they get.
func filesNaming(s *session.Session, channel string, sources []checkedSource) (map[string][]byte, error) {
	also := map[string][]byte{}
	workflows, err := workflows(s)
	if err != nil {
		return nil, err
	}
	for name, text := range workflows {
		also[filepath.Join(s.Config.Root, filepath.FromSlash(name))] = drift.RepinWorkflow(channel, text)
	}
	pins := map[string]*drift.SourcePin{}
	for _, src := range sources {
		if src.folder != "" || src.local || src.Tree == nil {
			continue
		}
		name := src.recipe.Name
		if pins[name] == nil {
			pins[name] = &drift.SourcePin{Recipe: s.Recipes[name]}
		}
		pins[name].Trees = append(pins[name].Trees, src.Tree)
	}
	for name, pin := range pins {
		recipePath := s.Recipes[name].Path
		text, err := os.ReadFile(recipePath)
		if err != nil {
			return nil, err
		}
		files, err := pin.Files(channel, os.DirFS(s.Config.Patches()), filepath.ToSlash(s.Relative(recipePath)), text)
		if err != nil {
			return nil, fmt.Errorf("source of %s: %w", name, err)
		}
		for file, text := range files {
			also[filepath.Join(s.Config.Root, filepath.FromSlash(file))] = text
		}
	}
	return also, nil
}

// workflows are the texts of the workflow files, ours and the examples, by slash path.
func workflows(s *session.Session) (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, pattern := range []string{".github/workflows/*.yml", ".github/workflows/*.yaml", "examples/*.yml", "examples/*.yaml"} {
		found, err := globdir.In(s.Config.Root, pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			texts[filepath.ToSlash(s.Relative(path))] = text
		}
	}
	return texts, nil
}
