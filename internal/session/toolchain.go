package session

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
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/tomledit"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// installed is what is known of the toolchain without installing or refusing anything. The parts after
// the first that is nil are nil too; problem says why.
type installed struct {
	pin       *toolchain.Pin
	toolchain *toolchain.Toolchain
	version   *toolchain.Version
	identity  *toolchain.Identity
	caps      *toolchain.Capabilities
	problem   error
}

// lookAtToolchain finds out as much about the toolchain as there is. Only an unreadable pin is an error.
func (s *Session) lookAtToolchain(ctx context.Context) (*installed, error) {
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return nil, err
	}
	i := &installed{pin: pin}
	i.problem = s.lookInto(ctx, i)
	return i, ctx.Err()
}

func (s *Session) lookInto(ctx context.Context, i *installed) error {
	from, err := s.toolchainSources()
	if err != nil {
		return err
	}
	run := toolchain.Exec(s.toolEnv())
	cache := s.Config.Toolchains()
	if i.toolchain, err = toolchain.Find(ctx, from, i.pin, run); err != nil {
		return err
	}
	version, err := i.toolchain.AskVersion(ctx, run)
	if err != nil {
		return err
	}
	i.version = &version
	if i.identity, err = i.toolchain.Identify(ctx, cache); err != nil {
		return err
	}
	spec, err := targetspec.Load(os.DirFS(s.Config.Targets()), s.Config.Target)
	if err != nil {
		return err
	}
	i.caps, err = i.toolchain.Probe(ctx, run, i.identity, spec, cache)
	return err
}

// ToolchainShow shows the pin, what is installed and what it can do. With probe, what was measured before
// is forgotten first.
func (s *Session) ToolchainShow(ctx context.Context, asJSON, probe bool) error {
	if probe {
		if err := s.forgetProbes(); err != nil {
			return err
		}
	}
	i, err := s.lookAtToolchain(ctx)
	if err != nil {
		return err
	}
	report := toolchain.NewReport(i.pin, i.toolchain, i.identity, i.caps, i.problem)
	built, err := s.builtToolchains().List()
	if err != nil {
		return err
	}
	manifest := manifestOf(i.toolchain)
	if asJSON {
		return s.printJSON(builtReport{report, manifest, built})
	}
	if err := report.WriteTable(s.Streams.Out); err != nil {
		return err
	}
	return s.showBuilt(manifest, built)
}

func (s *Session) forgetProbes() error {
	found, err := globdir.In(s.Config.Toolchains(), "probe-*.json")
	for _, path := range found {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// ToolchainInstall has rustup install the pin, and with cranelift the backend's component too.
func (s *Session) ToolchainInstall(ctx context.Context, cranelift bool) error {
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return err
	}
	if s.Config.Offline {
		return fmt.Errorf("%s cannot be installed with -offline", pin.Toolchain.Channel)
	}
	env := append(s.toolEnv(), s.Config.NetworkEnv...)
	err = toolchain.Install(ctx, s.lookPath("rustup"), pin, cranelift, toolchain.ExecLines(env), func(line string) { s.say("  %s", line) })
	if none := (*toolchain.NoComponent)(nil); errors.As(err, &none) && cranelift {
		return fmt.Errorf("%w\n%s itself is installed. Ways to Cranelift: a toolchain directory that has it (REDOX_TOOLCHAIN=DIR), "+
			"another server for rustup (RUSTUP_DIST_SERVER), or LLVM (-backend='llvm:*')", err, pin.Toolchain.Channel)
	}
	if err != nil {
		return err
	}
	s.say("%s is installed; `mage toolchain:show` tells what it can do", pin.Toolchain.Channel)
	return nil
}

// ToolchainLock writes down what the installed toolchain is, and what the pin expects where it does not say; with
// REDOX_TOOLCHAIN, what a toolchain that was built from sources was made of.
func (s *Session) ToolchainLock(ctx context.Context) error {
	i, err := s.lookAtToolchain(ctx)
	if err != nil {
		return err
	}
	if s.Config.Toolchain != "" {
		return s.recordBuilt(ctx, i)
	}
	if i.identity == nil {
		return i.problem
	}
	if err := i.pin.Verify(i.toolchain, *i.version); err != nil {
		return err
	}
	lock, err := toolchain.LoadLock(s.Config.PinLock())
	if err != nil {
		return err
	}
	identity, err := identifyAnew(ctx, i.toolchain)
	if err != nil {
		return err
	}
	lock.Record(i.pin.Toolchain.Channel, *i.version, identity)
	if err := lock.Write(s.Config.PinLock()); err != nil {
		return err
	}
	s.say("%s: %s on %s, rustc %s", s.relative(s.Config.PinLock()), lock.Channel, i.version.Host, i.version.Commit)
	return s.expect(i)
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
func (s *Session) expect(i *installed) error {
	text, err := os.ReadFile(s.Config.Pin())
	if err != nil {
		return err
	}
	doc, err := tomledit.Parse(text)
	if err != nil {
		return err
	}
	for key, fact := range map[string][2]string{
		"release": {i.pin.Expected.Release, i.version.Release}, "commit": {i.pin.Expected.Commit, i.version.Commit},
	} {
		if fact[0] != "" || key == "commit" && len(fact[1]) != 40 {
			continue
		}
		if err := doc.Set(fact[1], "expected", key); err != nil {
			return err
		}
		s.say("%s: expects %s %s from now on", s.relative(s.Config.Pin()), key, fact[1])
	}
	if string(doc.Bytes()) == string(text) {
		return nil
	}
	return renameio.WriteFile(s.Config.Pin(), doc.Bytes(), 0o644)
}

// ToolchainPin changes the one pin and everything that names a toolchain: the files of this checkout,
// those in folders that take the place of sources, workflows, and by patch series those of foreign
// sources. Either all of it is changed or nothing is.
func (s *Session) ToolchainPin(ctx context.Context, channel string, link bool) error {
	repin := toolchain.Repin{Channel: channel, Pin: s.Config.Pin(), Link: link}
	sources, err := s.checkedSources(ctx, false)
	if err != nil {
		return err
	}
	if repin.Files, err = s.toolchainFiles(sources); err != nil {
		return err
	}
	if repin.Also, err = s.filesNaming(channel, sources); err != nil {
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
	s.showChanges(changes)
	for _, src := range sources {
		if src.Tree == nil {
			s.say("not looked at: %s (%s); %s, then repeat this", src.Name, src.why, src.fix)
		}
	}
	return nil
}

func (s *Session) showChanges(changes []toolchain.Change) {
	for _, c := range changes {
		what := c.Old + " -> " + c.New
		switch c.Old {
		case toolchain.NewFile:
			what = "new, carries " + c.New + " into a source"
		case toolchain.OtherText:
			what = "brought along"
		}
		fmt.Fprintf(s.Streams.Out, "%s: %s\n", s.relative(c.Path), what)
	}
	switch {
	case len(changes) == 0:
		s.say("nothing to change")
	case s.Config.DryRun:
		s.say("%d files would be changed", len(changes))
	default:
		s.say("%d files changed; next: mage toolchain:install, mage toolchain:lock, mage target:spec -write", len(changes))
	}
}

// toolchainFiles are those of this checkout and of the folders that take the place of sources.
func (s *Session) toolchainFiles(sources []checkedSource) ([]string, error) {
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
func (s *Session) filesNaming(channel string, sources []checkedSource) (map[string][]byte, error) {
	also := map[string][]byte{}
	workflows, err := s.workflows()
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
		files, err := pin.Files(channel, os.DirFS(s.Config.Patches()), filepath.ToSlash(s.relative(recipePath)), text)
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
func (s *Session) workflows() (map[string][]byte, error) {
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
			texts[filepath.ToSlash(s.relative(path))] = text
		}
	}
	return texts, nil
}
