package pin

import (
	"context"
	"fmt"
	"time"

	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// builtReport is the JSON of toolchain:show.
type builtReport struct {
	*toolchain.Report
	Manifest *rustbuild.Manifest   `json:"manifest,omitempty"` // when the toolchain was built here
	Built    []rustbuild.Installed `json:"built"`              // all that were
}

// LlvmOf says which LLVM a toolchain has.
func LlvmOf(m *rustbuild.Manifest) string {
	if m.LLVMFrom == rustbuild.BootstrapLLVM {
		return "rustc's own, compiled with it"
	}
	return m.LLVM + ", the system's"
}

// showBuilt prints what the toolchain in use was made of, and the toolchains that were built here.
func showBuilt(s *session.Session, m *rustbuild.Manifest, all []rustbuild.Installed) error {
	var rows [][]string
	if m != nil {
		rows = append(rows, []string{"built from", m.Archive}, []string{"  sha256", m.Source}, []string{"  identity", m.Identity[:16]},
			[]string{"  stage 0", m.Stage0}, []string{"  LLVM", LlvmOf(m)}, []string{"  flags", m.Bootstrap[:16]}, []string{"  patches", m.Patches[:16]})
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
func recordBuilt(ctx context.Context, s *session.Session, i *session.InstalledToolchain) error {
	m := session.ManifestOf(i.Toolchain)
	if m == nil {
		return fmt.Errorf("the lock is of the pinned toolchain and of those that toolchain:build makes: unset REDOX_TOOLCHAIN (%s)", s.Config.Toolchain)
	}
	if i.Identity == nil {
		return i.Problem
	}
	lock, err := toolchain.LoadLock(s.Config.PinLock())
	if err != nil {
		return err
	}
	if lock.Channel == "" {
		lock.Channel = i.Pin.Toolchain.Channel
	}
	lock.RecordBuilt(m.Name, m.Host, toolchain.BuiltFrom{
		Identity: m.Identity, Release: m.Release, Archive: m.Archive, Source: m.Source, Stage0: m.Stage0, LLVM: m.LLVM,
		Flags: m.Bootstrap, Patches: m.Patches, Applied: m.Applied,
	})
	if err := lock.Write(s.Config.PinLock()); err != nil {
		return err
	}
	s.Say("%s: %s on %s, identity %s", s.Relative(s.Config.PinLock()), m.Name, m.Host, m.Identity[:16])
	return ctx.Err()
}
