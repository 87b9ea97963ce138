package toolchain

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"golang.org/x/sync/errgroup"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/targetspec"
)

//go:embed probes/*.rs
var probes embed.FS

// probeVersion is part of the cache key; raise it when a probe changes in a
// way that its text does not show.
const probeVersion = "2"

// Probe measures a toolchain for the given target, or takes the measurement
// from cacheDir when the same identity was probed for the same specification
// there. Cold it compiles about a dozen tiny programs (one or two seconds).
//
// A probe that fails is data, not an error. The error is that of a rustc that
// does not run, a specification that rustc refuses, or a cache that cannot be
// written. run must not let RUSTFLAGS or a wrapper through.
func (t *Toolchain) Probe(ctx context.Context, run Runner, identity *Identity, spec *targetspec.Spec, cacheDir string) (*Capabilities, error) {
	key, err := probeKey(identity.Digest, spec)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cacheDir, "probe-"+key+".json")
	if known := readProbe(path, identity); known != nil {
		return known, nil
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return nil, fmt.Errorf("probe the toolchain in %s: %w", t.Dir, err)
	}
	measured, err := t.measure(ctx, run, identity, spec, cacheDir)
	if err != nil {
		return nil, fmt.Errorf("probe the toolchain in %s: %w", t.Dir, err)
	}
	if err := writeProbe(path, measured); err != nil {
		return nil, fmt.Errorf("keep what was probed of %s: %w", t.Dir, err)
	}
	return measured, nil
}

// probeKey is a digest over everything that a measurement depends on. identity is that of the toolchain.
func probeKey(identity string, spec *targetspec.Spec) (string, error) {
	key := sha256.New()
	text, err := spec.JSON(targetspec.Compiler{})
	if err != nil {
		return "", err
	}
	fmt.Fprintf(key, "%s\n%s\n%s\n%s\n", probeVersion, identity, spec.Triple, text)
	entries, err := probes.ReadDir("probes")
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		source, err := probes.ReadFile("probes/" + entry.Name())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(key, "%s %d\n%s", entry.Name(), len(source), source)
	}
	return hex.EncodeToString(key.Sum(nil)[:16]), nil
}

func readProbe(path string, identity *Identity) *Capabilities {
	data, err := atomicfile.ReadSummed(path)
	if err != nil {
		return nil
	}
	var known Capabilities
	if json.Unmarshal(data, &known) != nil || known.Identity != identity.Digest || known.Backends == nil {
		return nil
	}
	return &known
}

func writeProbe(path string, measured *Capabilities) error {
	data, err := json.MarshalIndent(measured, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteSummed(path, append(data, '\n'), 0o644)
}

// measure does the work in a folder of its own below scratch.
func (t *Toolchain) measure(ctx context.Context, run Runner, identity *Identity, spec *targetspec.Spec, scratch string) (_ *Capabilities, err error) {
	dir, err := os.MkdirTemp(scratch, "probing-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	version, err := t.AskVersion(ctx, run)
	if err != nil {
		return nil, err
	}
	p := &prober{toolchain: t, run: run, dir: dir, spec: spec}
	measured := &Capabilities{Identity: identity.Digest, Triple: spec.Triple, Version: version, Backends: map[Backend]map[Feature]Result{}}
	if err := p.builtins(ctx, measured); err != nil {
		return nil, err
	}
	if measured.NoF16F128, err = t.hasNoF16F128(); err != nil {
		return nil, err
	}
	if err := p.cargo(ctx, measured); err != nil {
		return nil, err
	}
	if err := p.target(ctx, measured); err != nil {
		return nil, err
	}
	return measured, p.backends(ctx, measured)
}

// prober compiles probes.
type prober struct {
	toolchain *Toolchain
	run       Runner
	dir       string // scratch
	spec      *targetspec.Spec
	json      string // the specification for this compiler, once target has run
}

// builtins reads from the compiler's own specifications how it wants ours.
func (p *prober) builtins(ctx context.Context, measured *Capabilities) error {
	measured.SoftFloatABI = map[string]string{}
	for _, builtin := range []struct{ arch, triple string }{
		{"aarch64", "aarch64-unknown-none-softfloat"}, {"x86_64", "x86_64-unknown-none"}, {"", "aarch64-unknown-uefi"},
	} {
		stdout, stderr, err := p.run(ctx, p.toolchain.Rustc, "-Zunstable-options", "--print=target-spec-json", "--target="+builtin.triple)
		if err != nil {
			return broken(p.toolchain.Rustc, stderr, err)
		}
		var own struct {
			ABI   string          `json:"rustc-abi"`
			Width json.RawMessage `json:"target-pointer-width"`
			Weak  *bool           `json:"allows-weak-linkage"`
		}
		if err := json.Unmarshal(stdout, &own); err != nil {
			return fmt.Errorf("rustc's own specification of %s: %w", builtin.triple, err)
		}
		if builtin.arch == "" { // the firmware's, of which a compiler that knows the key says that it does not hold
			measured.NoWeakLinkage = own.Weak == nil
			continue
		}
		if own.ABI != "" {
			measured.SoftFloatABI[builtin.arch] = own.ABI
		}
		measured.PointerWidthString = strings.HasPrefix(string(own.Width), `"`)
	}
	return nil
}

// hasNoF16F128 reads the manifest of compiler_builtins in rust-src.
func (t *Toolchain) hasNoF16F128() (bool, error) {
	if t.Library == "" {
		return false, nil
	}
	path := filepath.Join(t.Library, "compiler-builtins", "compiler-builtins", "Cargo.toml")
	var manifest struct {
		Features map[string][]string `toml:"features"`
	}
	if _, err := toml.DecodeFile(path, &manifest); errors.Is(err, os.ErrNotExist) {
		return false, nil // an older layout, in which it is a registry crate
	} else if err != nil {
		return false, err
	}
	_, has := manifest.Features["no-f16-f128"]
	return has, nil
}

func (p *prober) cargo(ctx context.Context, measured *Capabilities) error {
	stdout, stderr, err := p.run(ctx, p.toolchain.Cargo, "-Zhelp")
	if err != nil {
		return broken(p.toolchain.Cargo, stderr, err)
	}
	measured.CargoJSONTargetSpec = strings.Contains(string(stdout), "json-target-spec")
	return nil
}

// target writes the specification for this compiler and has it accepted; the
// same question without the flag tells whether the flag is needed.
func (p *prober) target(ctx context.Context, measured *Capabilities) error {
	text, err := p.spec.JSON(measured.Compiler())
	if err != nil {
		return err
	}
	p.json = filepath.Join(p.dir, p.spec.Triple+".json")
	if err := os.WriteFile(p.json, text, 0o644); err != nil {
		return err
	}
	if _, err := targetspec.Validate(ctx, targetspec.Runner(p.run), p.toolchain.Rustc, p.json); err != nil {
		return err
	}
	_, _, err = p.run(ctx, p.toolchain.Rustc, "--print=cfg", "--target="+p.json)
	measured.RustcUnstableForJSON = err != nil
	return ctx.Err()
}

// backends runs every probe with every backend, two at a time.
func (p *prober) backends(ctx context.Context, measured *Capabilities) error {
	var lock sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, backend := range []Backend{LLVM, Cranelift} {
		results := map[Feature]Result{} // of this backend; the map of backends grows while probes of the first one end
		measured.Backends[backend] = results
		for _, feature := range Features() {
			group.Go(func() error {
				result, err := p.feature(ctx, backend, feature)
				lock.Lock()
				defer lock.Unlock()
				results[feature] = result
				return err
			})
		}
	}
	return group.Wait()
}

// probeFile is the program that stands for a feature.
func probeFile(feature Feature) string {
	switch feature {
	case Present:
		return "plain.rs"
	case Asm:
		return "asm.rs"
	case AsmObject:
		return "asm-object.rs"
	case Sym:
		return "sym.rs"
	case SymGlobal:
		return "sym-global.rs"
	case F128:
		return "f128.rs"
	default:
		return "variadic.rs"
	}
}

// feature compiles one probe, and links it where only the linker sees the
// failure.
func (p *prober) feature(ctx context.Context, backend Backend, feature Feature) (Result, error) {
	stem := filepath.Join(p.dir, string(backend)+"-"+string(feature))
	if err := os.WriteFile(stem+".rs", p.source(feature), 0o644); err != nil {
		return Result{}, err
	}
	archive := stem + ".a"
	argv := []string{
		p.toolchain.Rustc, "-Zcodegen-backend=" + string(backend), "--edition=2021", "-Cpanic=abort", "-Copt-level=1",
		"-Zmetrics-dir=" + p.dir, // where rustc leaves its report when it crashes, instead of the working folder
	}
	argv = append(argv, "-Zunstable-options", "--target="+p.json, "--crate-type=staticlib", "-o", archive)
	if feature == AsmObject {
		argv = append(argv, "--emit=obj")
	}
	if result, err := p.try(ctx, append(argv, stem+".rs")); err != nil || !result.OK {
		return result, err
	}
	lld := p.toolchain.Lld()
	coff := p.spec.BinaryFormat != nil && *p.spec.BinaryFormat == "coff"
	if lld == "" || coff || feature == F128 || feature == Present || feature == Variadic {
		return Result{OK: true}, nil
	}
	return p.try(ctx, []string{lld, "-flavor", "gnu", "-e", "probe", "--whole-archive", archive, "-o", stem + ".elf"})
}

// source is the text of a probe, with our bit of core in front where it is
// compiled for the target.
func (p *prober) source(feature Feature) []byte {
	text, _ := probes.ReadFile("probes/" + probeFile(feature)) // embedded: TestProbeFiles
	core, _ := probes.ReadFile("probes/core.rs")
	words := strings.NewReplacer("@call@", "bl", "@result@", "i32")
	if p.spec.Arch != nil && *p.spec.Arch == "x86_64" {
		words = strings.NewReplacer("@call@", "call", "@result@", "i64")
	}
	return append(core, words.Replace(string(text))...)
}

func (p *prober) try(ctx context.Context, argv []string) (Result, error) {
	_, stderr, err := p.run(ctx, argv...)
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if err != nil {
		return Result{Detail: strings.ReplaceAll(firstError(stderr), p.dir+string(filepath.Separator), "")}, nil
	}
	return Result{OK: true}, nil
}
