package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/pelletier/go-toml/v2"

	"github.com/pannous/redox-clif/internal/tomledit"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Lock is toolchain/toolchain.lock.toml: what the pinned channel was found to
// be on the hosts where it was verified. `mage toolchain:lock` writes it.
type Lock struct {
	// Channel is that of the pin.
	Channel string `toml:"channel"`
	// Host has what was verified, by host triple.
	Host map[string]Verified `toml:"host"`
	// Built are toolchains that were built from sources, by name and host triple.
	Built map[string]map[string]BuiltFrom `toml:"built,omitempty"`
}

// BuiltFrom is what a toolchain was built from. All digests are SHA-256 in hexadecimal.
type BuiltFrom struct {
	// Identity is the digest over all that follows but the names of the patches.
	Identity string `toml:"identity"`
	// Release is what rustc -vV says.
	Release string `toml:"release"`
	// Archive is the URL of rustc's sources.
	Archive string `toml:"archive"`
	// Source is the digest of the archive.
	Source string `toml:"source"`
	// Stage0 is the version of the compiler that the build began with.
	Stage0 string `toml:"stage0"`
	// LLVM is the version of the system's LLVM, or "bootstrap" where the source has it.
	LLVM string `toml:"llvm"`
	// Flags is the digest of bootstrap.toml without the machine's.
	Flags string `toml:"flags"`
	// Patches is the digest over what the series do.
	Patches string `toml:"patches"`
	// Applied are the names of the patches with their titles.
	Applied []string `toml:"applied"`
}

// RecordBuilt notes what a toolchain was built from.
func (l *Lock) RecordBuilt(name, host string, from BuiltFrom) {
	if l.Built == nil {
		l.Built = map[string]map[string]BuiltFrom{}
	}
	if l.Built[name] == nil {
		l.Built[name] = map[string]BuiltFrom{}
	}
	l.Built[name][host] = from
}

// Verified is one installed toolchain that was looked at.
type Verified struct {
	// Release is what rustc -vV says.
	Release string `toml:"release"`
	// Commit is that of rustc, 40 hexadecimal digits.
	Commit string `toml:"commit"`
	// CommitDate is that commit's day.
	CommitDate string `toml:"commit-date"`
	// LLVM is the version that rustc has.
	LLVM string `toml:"llvm"`
	// Cargo is what cargo says of its version.
	Cargo string `toml:"cargo"`
	// Files has the SHA-256 of what takes part in a build, by slash path; of a folder over the files in it.
	Files map[string]string `toml:"files"`
	// Probed has what it was found to be able to do, by target. A machine that has all results in a cache needs no more than this of
	// the toolchain, and does not install it.
	Probed map[string]Probed `toml:"probed,omitempty"`
}

// LockDrift is one difference between the lock and an installed toolchain.
type LockDrift struct {
	What string // "rustc commit" or a file
	Want string // as locked; empty when nothing was locked for this host
	Got  string // as installed; empty when it is not there
}

// Error is one line.
func (d *LockDrift) Error() string {
	return fmt.Sprintf("%s: locked %q, installed %q", d.What, d.Want, d.Got)
}

// LoadLock reads the lock. A file that is not there is an empty lock.
func LoadLock(path string) (*Lock, error) {
	data, err := tomlfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Lock{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the toolchain lock: %w", err)
	}
	lock := &Lock{}
	if err := tomlfile.Decode(path, data, lock); err != nil {
		return nil, err
	}
	return lock, nil
}

// Locked is what was written into a lock, and into the pin beside it.
type Locked struct {
	// Name is the channel, or the name of a toolchain that was built.
	Name string `json:"name"`
	Host string `json:"host"`
	// Commit is rustc's; empty for a toolchain that was built, which has Identity: the SHA-256 of what it was built from.
	Commit   string `json:"commit,omitempty"`
	Identity string `json:"identity,omitempty"`
	// Expects are the facts that the pin did not state and states now.
	Expects []Expectation `json:"expects,omitempty"`
	// Hosts are the others, if they were asked for.
	Hosts []HostLocked `json:"hosts,omitempty"`
}

// Expectation is a key of the pin's [expected].
type Expectation struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// LockInstalled writes into the lock at lockPath what the installed toolchain is, and into the pin at pinPath what it expects where
// it does not say, which a change of the channel leaves empty. What was locked is returned beside an error about the pin.
func (i *Installed) LockInstalled(ctx context.Context, lockPath, pinPath string) (*Locked, error) {
	if i.Identity == nil {
		return nil, i.Problem
	}
	if err := i.Pin.Verify(i.Toolchain, *i.Version); err != nil {
		return nil, err
	}
	lock, err := LoadLock(lockPath)
	if err != nil {
		return nil, err
	}
	identity, err := i.Toolchain.IdentifyAnew(ctx)
	if err != nil {
		return nil, err
	}
	lock.Record(i.Pin.Toolchain.Channel, *i.Version, identity)
	if err := lock.recordProbed(identity, i.Spec, i.Caps); err != nil {
		return nil, err
	}
	if err := lock.Write(lockPath); err != nil {
		return nil, err
	}
	expects, err := i.expect(pinPath)
	return &Locked{Name: lock.Channel, Host: i.Version.Host, Commit: i.Version.Commit, Expects: expects}, err
}

// expect fills in what the pin at path leaves open.
func (i *Installed) expect(path string) ([]Expectation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	doc, err := tomledit.Parse(text)
	if err != nil {
		return nil, err
	}
	var expects []Expectation
	if i.Pin.Expected.Release == "" {
		expects = append(expects, Expectation{"release", i.Version.Release})
	}
	if i.Pin.Expected.Commit == "" && isHex(i.Version.Commit, 40) {
		expects = append(expects, Expectation{"commit", i.Version.Commit})
	}
	for _, e := range expects {
		if err := doc.Set(e.Value, "expected", e.Key); err != nil {
			return nil, err
		}
	}
	if len(expects) == 0 {
		return nil, nil
	}
	return expects, renameio.WriteFile(path, doc.Bytes(), 0o644)
}

// LockBuilt writes into the lock at lockPath what the toolchain, which was built from sources, was made of.
func (i *Installed) LockBuilt(lockPath, name, host string, from BuiltFrom) (*Locked, error) {
	if i.Identity == nil {
		return nil, i.Problem
	}
	lock, err := LoadLock(lockPath)
	if err != nil {
		return nil, err
	}
	if lock.Channel == "" {
		lock.Channel = i.Pin.Toolchain.Channel
	}
	lock.RecordBuilt(name, host, from)
	return &Locked{Name: name, Host: host, Identity: from.Identity}, lock.Write(lockPath)
}

// Record notes what is installed as verified. A lock of another channel is
// started anew; other hosts of the same channel stay.
func (l *Lock) Record(channel string, version Version, identity *Identity) {
	if l.Channel != channel || l.Host == nil {
		l.Channel, l.Host = channel, map[string]Verified{}
	}
	l.Host[version.Host] = Verified{
		Release: version.Release, Commit: version.Commit, CommitDate: version.CommitDate,
		LLVM: version.LLVM, Cargo: version.Cargo, Files: identity.Files,
	}
}

// Compare lists where an installed toolchain differs from the lock. Files that
// were not locked, such as an optional component, are no drift.
func (l *Lock) Compare(channel string, version Version, identity *Identity) []*LockDrift {
	if l.Channel != channel {
		return []*LockDrift{{What: "channel", Want: l.Channel, Got: channel}}
	}
	locked, known := l.Host[version.Host]
	if !known {
		return []*LockDrift{{What: "host", Got: version.Host}}
	}
	var drift []*LockDrift
	differ := func(what, want, got string) {
		if want != got {
			drift = append(drift, &LockDrift{What: what, Want: want, Got: got})
		}
	}
	differ("rustc release", locked.Release, version.Release)
	differ("rustc commit", locked.Commit, version.Commit)
	differ("rustc commit date", locked.CommitDate, version.CommitDate)
	differ("LLVM", locked.LLVM, version.LLVM)
	differ("cargo", locked.Cargo, version.Cargo)
	names := make([]string, 0, len(locked.Files))
	for name := range locked.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		differ(name, locked.Files[name], identity.Files[name])
	}
	return drift
}

// Write replaces the lock file, with the same bytes for the same content.
func (l *Lock) Write(path string) error {
	var text bytes.Buffer
	text.WriteString("# What the pinned toolchain was found to be. Written by `mage toolchain:lock`, not by hand.\n")
	if err := toml.NewEncoder(&text).Encode(l); err != nil {
		return fmt.Errorf("write the toolchain lock: %w", err)
	}
	if err := renameio.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the toolchain lock: %w", err)
	}
	return nil
}
