package toolchain

import (
	"context"
	"errors"
	"os"

	"github.com/pannous/redox-clif/internal/targetspec"
)

// Installed is what is known of the toolchain without installing or refusing anything. The parts after the first that is nil are
// nil too; Problem says why.
type Installed struct {
	Pin       *Pin
	Toolchain *Toolchain
	Version   *Version
	Identity  *Identity
	Spec      *targetspec.Spec // what Caps were measured for
	Caps      *Capabilities
	Problem   error
}

// PinnedCompiler is what the generated files in targets/ are for: the installed toolchain when it is the pinned one, else what is
// known of the release that the pin expects.
func (i *Installed) PinnedCompiler() (targetspec.Compiler, error) {
	if i.Caps != nil && i.Toolchain.Provider == FromRustup {
		return i.Caps.Compiler(), nil
	}
	return targetspec.KnownCompiler(i.Pin.Expected.Release)
}

// IdentifyAnew is Identify without what was kept of the files: it reads them all, about half a gigabyte.
func (t *Toolchain) IdentifyAnew(ctx context.Context) (_ *Identity, err error) {
	dir, err := os.MkdirTemp("", "redox-clif-identity-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return t.Identify(ctx, dir)
}
