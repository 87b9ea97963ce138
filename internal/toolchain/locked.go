package toolchain

import (
	"context"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/targetspec"
)

// Probed is what was measured of a toolchain for a target.
type Probed struct {
	// Key is a digest over the target's specification and the programs that were tried, hexadecimal.
	Key string `toml:"key"`
	// RustcUnstable: rustc takes a JSON target only with -Zunstable-options.
	RustcUnstable bool `toml:"rustc-unstable-for-json-target"`
	// CargoJSON: cargo has -Zjson-target-spec and takes a JSON target only with it.
	CargoJSON bool `toml:"cargo-json-target-spec"`
	// NoF16F128: compiler_builtins has the feature no-f16-f128.
	NoF16F128 bool `toml:"no-f16-f128"`
	// PointerWidthString: a target's pointer width is written as a string.
	PointerWidthString bool `toml:"pointer-width-string"`
	// SoftFloatABI has the name of the soft-float ABI, by architecture.
	SoftFloatABI map[string]string `toml:"rustc-abi-softfloat"`
	// NoWeakLinkage: a target's specification must not say allows-weak-linkage.
	NoWeakLinkage bool `toml:"no-allows-weak-linkage,omitempty"`
	// Can and `lacks` are the features by backend.
	Can map[Backend][]Feature `toml:"can"`
	// Lacks are those that were tried and do not work.
	Lacks map[Backend][]Feature `toml:"lacks"`
}

// recordProbed notes what was measured of the toolchain, for the target that it was measured for.
func (l *Lock) recordProbed(identity *Identity, spec *targetspec.Spec, caps *Capabilities) error {
	if caps == nil || caps.Identity != identity.Digest {
		return nil
	}
	key, err := probeKey(identity.Digest, spec)
	if err != nil {
		return err
	}
	p := Probed{
		Key: key, RustcUnstable: caps.RustcUnstableForJSON, CargoJSON: caps.CargoJSONTargetSpec, NoF16F128: caps.NoF16F128,
		PointerWidthString: caps.PointerWidthString, SoftFloatABI: caps.SoftFloatABI,
		NoWeakLinkage: caps.NoWeakLinkage, Can: map[Backend][]Feature{}, Lacks: map[Backend][]Feature{},
	}
	for backend, features := range caps.Backends {
		for _, feature := range slices.Sorted(maps.Keys(features)) {
			list := p.Lacks
			if features[feature].OK {
				list = p.Can
			}
			list[backend] = append(list[backend], feature)
		}
	}
	host := l.Host[caps.Version.Host]
	host.Probed = map[string]Probed{spec.Triple: p}
	l.Host[caps.Version.Host] = host
	return nil
}

// capabilities are those that were measured, but for the compiler's own words.
func (p *Probed) capabilities(triple, identity string, version Version) *Capabilities {
	c := &Capabilities{
		Identity: identity, Triple: triple, Version: version, RustcUnstableForJSON: p.RustcUnstable, CargoJSONTargetSpec: p.CargoJSON,
		NoF16F128: p.NoF16F128, PointerWidthString: p.PointerWidthString, SoftFloatABI: p.SoftFloatABI, NoWeakLinkage: p.NoWeakLinkage,
		Backends: map[Backend]map[Feature]Result{},
	}
	note := func(list map[Backend][]Feature, r Result) {
		for backend, features := range list {
			if c.Backends[backend] == nil {
				c.Backends[backend] = map[Feature]Result{}
			}
			for _, feature := range features {
				c.Backends[backend][feature] = r
			}
		}
	}
	note(p.Can, Result{OK: true})
	note(p.Lacks, Result{Detail: "did not work when the toolchain was locked"})
	return c
}

// Pinned is the pinned toolchain as the lock knows it, without looking whether it is installed: where rustup puts its files, and what it
// can do for a target. Both are nil when the lock is of another channel, or does not say enough for this machine.
func (l *Lock) Pinned(ctx context.Context, from Sources, pin *Pin, spec *targetspec.Spec, run Runner) (*Toolchain, *Capabilities) {
	host, verified := l.thisHost()
	probed, ok := verified.Probed[spec.Triple]
	if from.Directory != "" || l.Channel != pin.Toolchain.Channel || !ok {
		return nil, nil
	}
	identity := digestOf(verified.Files)
	if key, err := probeKey(identity, spec); err != nil || key != probed.Key {
		return nil, nil
	}
	home, err := rustupHome(ctx, from, run)
	if err != nil {
		return nil, nil
	}
	dir := filepath.Join(home, "toolchains", pin.Toolchain.Channel+"-"+host)
	t := &Toolchain{
		Provider: FromRustup, Dir: dir, Channel: pin.Toolchain.Channel, Host: host,
		Rustc: filepath.Join(dir, "bin", "rustc"), Cargo: filepath.Join(dir, "bin", "cargo"), Library: filepath.Join(dir, filepath.FromSlash(sourceKey)),
		Tools: map[string]string{},
	}
	for name := range verified.Files {
		if path.Dir(name) == "lib/rustlib/"+host+"/bin" {
			t.Tools[path.Base(name)] = filepath.Join(dir, filepath.FromSlash(name))
		}
	}
	version := Version{
		Release: verified.Release, Commit: verified.Commit, CommitDate: verified.CommitDate, LLVM: verified.LLVM, Host: host, Cargo: verified.Cargo,
	}
	return t, probed.capabilities(spec.Triple, identity, version)
}

// thisHost is what the lock has of this machine's kind; of two C libraries gnu is preferred, as by rustup.
func (l *Lock) thisHost() (host string, verified Verified) {
	for triple, v := range l.Host {
		if strings.HasPrefix(triple, rustArch(runtime.GOARCH)+"-") && strings.Contains(triple, rustOS(runtime.GOOS)) && (host == "" || strings.HasSuffix(triple, "-gnu")) {
			host, verified = triple, v
		}
	}
	return host, verified
}
