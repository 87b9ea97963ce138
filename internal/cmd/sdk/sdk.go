// Package sdk is `mage sdk`: the folder by which crates are built without a recipe.
//
// It owns the words. It must not know what is in the folder (package sdk below internal/), nor how that is built (package builder).
package sdk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/sdk"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Options are what the folder is made of.
type Options struct {
	// Sysroot is the recipe that programs are linked against.
	Sysroot string
	// Core: of Rust's library only core and alloc.
	Core bool
	// Out is a tar file that is written besides; "" is none.
	Out string
}

// Make builds what belongs into the folder and writes it to out/TARGET/sdk, and to a tar file if one is wanted.
func Make(ctx context.Context, s *session.Session, o Options) error {
	if o.Out != "" {
		if err := sdk.CheckName(o.Out); err != nil {
			return err
		}
	}
	if _, err := s.Recipe(o.Sysroot); err != nil {
		return err
	}
	t, err := s.Toolchain(ctx)
	if err != nil {
		return err
	}
	set := recipe.StdFull
	if o.Core {
		set = recipe.StdCore
	}
	var user *builder.UserSpace
	built, err := s.Build(ctx, session.BuildOptions{}, func(b *builder.Builder) ([]*graph.Node, error) {
		if user, err = b.UserSpace("sdk", o.Sysroot, set); err != nil {
			return nil, err
		}
		return []*graph.Node{user.Std, user.Sysroot}, nil
	})
	if err != nil || built == nil {
		return err
	}
	root, ok, err := s.Store.Lookup(built.Output(1), "root")
	if err != nil || !ok {
		return fmt.Errorf("recipe %s stages nothing: %w", o.Sysroot, err)
	}
	kit := &sdk.Kit{
		Triple: s.Config.Target, Release: t.Caps.Version.Release, Commit: t.Caps.Version.Commit, Channel: t.Channel,
		Flags: user.Flags, Cranelift: user.Backend == recipe.Cranelift, Core: o.Core,
	}
	tree, err := kit.Tree(s.Store, sdk.Parts{Std: built.Output(0), Sysroot: root.Digest, Spec: user.Spec})
	if err != nil {
		return err
	}
	dir := filepath.Join(s.Config.Out(), "sdk")
	if err := s.Export(ctx, tree, dir); err != nil {
		return err
	}
	s.Say("%s: in the folder of any crate, PATH=%s:$PATH cargo build --release", s.Relative(dir), process.Quote([]string{filepath.Join(dir, "bin")}))
	if o.Out == "" {
		return nil
	}
	start := time.Now()
	if err := sdk.Pack(ctx, s.Store, tree, o.Out); err != nil {
		return err
	}
	info, err := os.Stat(o.Out)
	if err != nil {
		return err
	}
	s.Say("%s: %s, packed in %s", s.Relative(o.Out), ui.Bytes(info.Size()), ui.Seconds(time.Since(start)))
	return nil
}
