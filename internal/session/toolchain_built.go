package session

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/doctor"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// toolchainSources says where a toolchain may come from. The name of a toolchain that was built here is
// resolved once: another build of it, meanwhile, changes nothing for this run. While this process lives the toolchain is
// not collected.
func (s *Session) toolchainSources() (toolchain.Sources, error) {
	from := toolchain.Sources{Directory: s.Config.Toolchain, Rustup: s.lookPath("rustup"), RustupHome: s.Config.RustupHome}
	store := s.builtToolchains()
	if s.Config.ToolchainName != "" {
		dir, err := store.Resolve(s.Config.ToolchainName)
		if err != nil {
			return from, err
		}
		from.Directory = dir
	}
	if s.usedToolchain != nil || from.Directory == "" || !store.Has(from.Directory) {
		return from, nil
	}
	used, err := store.Use(from.Directory)
	s.usedToolchain = used
	return from, err
}

// builtReport is the JSON of toolchain:show.
type builtReport struct {
	*toolchain.Report
	Manifest *rustbuild.Manifest   `json:"manifest,omitempty"` // when the toolchain was built here
	Built    []rustbuild.Installed `json:"built"`              // all that were
}

// manifestOf is the manifest of a toolchain that was built, here or elsewhere, or nil.
func manifestOf(t *toolchain.Toolchain) *rustbuild.Manifest {
	if t == nil {
		return nil
	}
	m, err := rustbuild.ReadManifest(t.Dir)
	if err != nil {
		return nil
	}
	return m
}

// llvmOf says which LLVM a toolchain has.
func llvmOf(m *rustbuild.Manifest) string {
	if m.LLVMFrom == rustbuild.BootstrapLLVM {
		return "rustc's own, compiled with it"
	}
	return m.LLVM + ", the system's"
}

// showBuilt prints what the toolchain in use was made of, and the toolchains that were built here.
func (s *Session) showBuilt(m *rustbuild.Manifest, all []rustbuild.Installed) error {
	var rows [][]string
	if m != nil {
		rows = append(rows, []string{"built from", m.Archive}, []string{"  sha256", m.Source}, []string{"  identity", m.Identity[:16]},
			[]string{"  stage 0", m.Stage0}, []string{"  LLVM", llvmOf(m)}, []string{"  flags", m.Bootstrap[:16]}, []string{"  patches", m.Patches[:16]})
		for _, p := range m.Applied {
			rows = append(rows, []string{"", p})
		}
	}
	for i, one := range all {
		label := ""
		if i == 0 {
			label = "built here"
		}
		text := one.Name + "  " + one.Dir
		if !one.Current {
			text += "  (not the newest)"
		}
		rows = append(rows, []string{label, fmt.Sprintf("%s, used %s ago", text, ui.Seconds(time.Since(one.Used)))})
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(s.Streams.Out)
	return ui.Table(s.Streams.Out, rows)
}

// recordBuilt writes into the lock what the toolchain in use, which was built, is.
func (s *Session) recordBuilt(ctx context.Context, i *installed) error {
	m := manifestOf(i.toolchain)
	if m == nil {
		return fmt.Errorf("the lock is of the pinned toolchain and of those that toolchain:build makes: unset REDOX_TOOLCHAIN (%s)", s.Config.Toolchain)
	}
	if i.identity == nil {
		return i.problem
	}
	lock, err := toolchain.LoadLock(s.Config.PinLock())
	if err != nil {
		return err
	}
	if lock.Channel == "" {
		lock.Channel = i.pin.Toolchain.Channel
	}
	lock.RecordBuilt(m.Name, m.Host, toolchain.BuiltFrom{
		Identity: m.Identity, Release: m.Release, Archive: m.Archive, Source: m.Source, Stage0: m.Stage0, LLVM: m.LLVM,
		Flags: m.Bootstrap, Patches: m.Patches, Applied: m.Applied,
	})
	if err := lock.Write(s.Config.PinLock()); err != nil {
		return err
	}
	s.say("%s: %s on %s, identity %s", s.relative(s.Config.PinLock()), m.Name, m.Host, m.Identity[:16])
	return ctx.Err()
}

// buildParts is what building a toolchain needs, for the doctor.
func (s *Session) buildParts(ctx context.Context) []doctor.Part {
	names, err := rustbuild.Names(os.DirFS(s.Config.ToolchainDir()))
	if err != nil || len(names) == 0 {
		return nil
	}
	r, err := rustbuild.Load(os.DirFS(s.Config.ToolchainDir()), names[len(names)-1], "")
	if err != nil {
		return []doctor.Part{{What: "toolchain/builds", Detail: errs.FirstLine(err.Error()), Fix: "mend the file"}}
	}
	var parts []doctor.Part
	lacking := func(err error) {
		all := multierror.Append(nil, err)
		for _, one := range all.Errors {
			if l, ok := one.(*rustbuild.Lacking); ok {
				parts = append(parts, doctor.Part{What: l.What, Detail: orElse(l.Why, "not found"), Fix: l.Fix})
			}
		}
	}
	m := s.buildMachine()
	if !r.OwnLLVM() {
		if llvm, err := installedLLVM(ctx, m, r); err != nil {
			lacking(err)
		} else {
			parts = append(parts, doctor.Part{What: "LLVM with headers", Detail: llvm.Version + " (" + llvm.Config + ")"})
		}
	}
	if p, err := rustbuild.FindPrograms(ctx, m, r.OwnLLVM()); err != nil {
		lacking(err)
	} else {
		parts = append(parts, doctor.Part{What: "Python 3, C++ compiler", Detail: p.Python + ", " + p.CXX})
	}
	return parts
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// readBuilt adds the toolchains that were built, and the folders they were built in, to what can go.
func (c *collection) readBuilt(ctx context.Context) error {
	items, err := c.builtToolchains().Items()
	if err != nil {
		return err
	}
	for _, it := range items {
		size := rustbuild.OnDisk(it.Path)
		c.total += size
		c.items = append(c.items, &item{used: it.Used, built: &it, size: size})
	}
	return ctx.Err()
}

func (c *collection) evictBuilt(it *item) error {
	return c.evictBy(it, func() (bool, error) { return c.builtToolchains().Remove(*it.built) })
}
