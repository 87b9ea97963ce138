package drift

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// ToolchainLock is a lock that is not the pin's, or an installed toolchain that is neither.
const ToolchainLock Kind = "toolchain-lock"

func checkToolchainLock(ctx context.Context, in *inputs, r *Report) error {
	lock, err := toolchain.LoadLock(in.checkout.PinLock)
	if err != nil {
		return err
	}
	lockText, err := os.ReadFile(in.checkout.PinLock)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	pinText, err := os.ReadFile(in.checkout.Pin)
	if err != nil {
		return err
	}
	name, tool := in.checkout.relative(in.checkout.PinLock), in.toolchain
	stale := compareLockChannel(in.channel, name, lock, lockText)
	r.add(stale...)
	switch {
	case tool.Version == nil:
		r.skip(ToolchainLock, in.channel, errs.FirstLine(tool.Problem.Error()), installFix)
		return nil
	case tool.Toolchain.Provider != toolchain.FromRustup:
		r.skip(ToolchainLock, in.channel, "REDOX_TOOLCHAIN names another toolchain", "unset REDOX_TOOLCHAIN")
		return nil
	}
	r.add(compareExpected(tool.Pin, in.checkout.relative(in.checkout.Pin), pinText, *tool.Version)...)
	if len(stale) > 0 || tool.Identity == nil {
		return nil
	}
	found, known := compareInstalled(name, lock, lockText, *tool.Version, tool.Identity)
	if len(found) > 0 {
		// Before anybody reinstalls a toolchain, its files are read once more: the identity may
		// have been kept by another version of this program.
		identity, err := tool.Toolchain.IdentifyAnew(ctx)
		if err != nil {
			return err
		}
		found, _ = compareInstalled(name, lock, lockText, *tool.Version, identity)
	}
	r.add(found...)
	if !known {
		r.skip(ToolchainLock, tool.Version.Host, "nothing is locked for this host", lockFix)
	}
	return nil
}

// compareLockChannel compares the channel that toolchain.lock.toml is for with the pin.
func compareLockChannel(channel, name string, lock *toolchain.Lock, text []byte) []Finding {
	if lock.Channel == channel {
		return nil
	}
	return []Finding{{
		Kind: ToolchainLock, File: name, Line: lineOf(text, "channel"), Expected: channel, Found: lock.Channel, Fix: lockFix,
	}}
}

const (
	lockFix    = "mage toolchain:lock"
	installFix = "mage toolchain:install"
)

// compareExpected compares what the pin expects its channel to be with what is installed.
func compareExpected(pin *toolchain.Pin, name string, text []byte, version toolchain.Version) []Finding {
	var found []Finding
	for _, fact := range []struct{ key, want, got string }{
		{"release", pin.Expected.Release, version.Release}, {"commit", pin.Expected.Commit, version.Commit},
	} {
		if fact.want != "" && fact.want != fact.got {
			found = append(found, Finding{
				Kind: ToolchainLock, File: name, Line: lineOf(text, "expected", fact.key), Expected: fact.key + " " + fact.want, Found: fact.got,
				Fix: toolchain.Reinstall(pin.Toolchain.Channel),
			})
		}
	}
	return found
}

// compareInstalled compares the lock with the installed toolchain. known is false when the lock has nothing for
// this host. When it is another compiler altogether, its files are not listed one by one.
func compareInstalled(name string, lock *toolchain.Lock, text []byte, version toolchain.Version, identity *toolchain.Identity) (found []Finding, known bool) {
	if _, known = lock.Host[version.Host]; !known {
		return nil, false
	}
	another := lock.Host[version.Host].Commit != version.Commit
	for _, d := range lock.Compare(lock.Channel, version, identity) {
		key, isFile := lockKey(version.Host, d.What)
		if isFile && another {
			continue
		}
		found = append(found, Finding{
			Kind: ToolchainLock, File: name, Line: lineOf(text, key...),
			Expected: fmt.Sprintf("%s %s", d.What, d.Want), Found: d.Got,
			Fix: lockFix + " if the installed toolchain is right, else rustup toolchain uninstall " + lock.Channel + " && mage toolchain:install",
		})
	}
	return found, true
}

// lockKey is the key of the lock behind LockDrift.What.
func lockKey(host, what string) (key []string, isFile bool) {
	keys := map[string]string{
		"rustc release": "release", "rustc commit": "commit", "rustc commit date": "commit-date", "LLVM": "llvm", "cargo": "cargo",
	}
	if key, ok := keys[what]; ok {
		return []string{"host", host, key}, false
	}
	return []string{"host", host, "files", what}, true
}
