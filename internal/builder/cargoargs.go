package builder

import (
	"path"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// commitWord stands, in the environment of a cargo step, for the commit of the source: an exported source has no
// git folder to ask.
const commitWord = "%{commit}"

func (c *cargoRun) args() []string {
	verb := "build"
	if c.t.s.Artifact == recipe.ArtifactObject {
		verb = "rustc"
	}
	args := append([]string{toolenv.Cargo, verb, "--manifest-path", c.manifest(), "--release"}, fromVendor()...)
	if !c.host() {
		_, cargoJSON := c.t.b.jsonTargetFlags()
		args = append(args, "--target", "%{root}/spec/"+c.t.triple+".json")
		args = append(args, cargoJSON...)
	}
	if c.t.b.buildsStd(c.t.s) {
		args = append(args, buildStdFlags[c.t.s.StdOrDefault()]...)
	}
	for _, p := range c.g.packages {
		args = append(args, "-p", p)
	}
	if c.t.s.DefaultFeatures != nil && !*c.t.s.DefaultFeatures {
		args = append(args, "--no-default-features")
	}
	if len(c.t.s.Features) > 0 {
		args = append(args, "--features", strings.Join(c.t.s.Features, ","))
	}
	switch c.t.s.Artifact {
	case recipe.ArtifactStaticlib:
		args = append(args, "--lib")
	case recipe.ArtifactObject:
		args = append(args, "--lib", "--", "--emit", "obj=%{root}/object/"+c.g.packages[0]+".o")
	default:
		for _, bin := range c.g.bins {
			args = append(args, "--bin", bin)
		}
	}
	return append(args, c.t.s.Args...)
}

func (c *cargoRun) manifest() string {
	return path.Join("%{root}/src", c.t.r.Cargo.Dir, c.t.s.Dir, "Cargo.toml")
}

func (c *cargoRun) env() map[string]string {
	env := toolenv.ForCargo()
	env["CARGO_HOME"] = toolenv.OwnCargoHome
	for _, more := range []map[string]string{c.clang, c.t.s.Env} {
		for name, value := range more {
			env[name] = strings.ReplaceAll(value, commitWord, c.commit)
		}
	}
	if c.edited { // the same source need not give the same bytes, which nobody else gets
		env["CARGO_INCREMENTAL"] = "1"
	}
	if c.t.b.o.DebugInfo && c.mayHaveDebugInfo() {
		env["CARGO_PROFILE_RELEASE_DEBUG"] = "true"
	}
	if c.host() {
		env["CARGO_ENCODED_RUSTFLAGS"] = encodeFlags(slices.Concat(remaps(), crateRemaps(), c.t.s.RustFlags))
		return env
	}
	flags, own := c.codegenFlags(), c.t.s.RustFlags
	if c.recordsLinks() {
		flags, _ = linkline.SplitFlags(flags)
		own, _ = linkline.SplitFlags(own)
	}
	if c.std != nil {
		flags = append(flags, "--sysroot=%{root}/std")
	}
	if c.t.s.Sysroot != "" {
		flags = append(flags, "-Lnative=%{root}/sysroot/lib")
	}
	flags = slices.Concat(flags, remaps(), crateRemaps())
	if c.hasOwnStd() {
		env[ownStdVariable] = ownStd + "/library"
		flags = append(flags, "--remap-path-prefix="+ownStd+"=/rustc/std")
	}
	flags = append(flags, own...)
	if c.recordsLinks() {
		flags = append(flags, "-Clinker=%{root}/"+linkline.RecorderFolder+"/"+linkline.RecorderName, "-Clink-arg="+linkline.Arguments)
	}
	env["CARGO_ENCODED_RUSTFLAGS"] = encodeFlags(flags)
	return env
}

// mayHaveDebugInfo tells whether it is taken out of what the step makes before that gets into an image, or is not loaded. The bootstrap
// is packed as it is.
func (c *cargoRun) mayHaveDebugInfo() bool {
	return c.recordsLinks() || c.t.s.Target == recipe.TargetKernel
}

// codegenFlags choose how the step's code is made.
func (c *cargoRun) codegenFlags() []string {
	flags, _ := c.t.b.jsonTargetFlags()
	flags = append(flags, backendFlags(c.g.backend)...)
	if c.t.s.RulesOrDefault() == recipe.RulesProgram {
		flags = append(flags, sizeFlags(c.g.backend)...)
	}
	return flags
}

// recorder is the folder with what stands in for the linker.
func (b *Builder) recorder() (cas.Digest, error) {
	d, err := b.store.PutBytes(linkline.Recorder)
	if err != nil {
		return cas.Digest{}, err
	}
	return b.store.Compose(nil, map[string]cas.Entry{linkline.RecorderName: {Digest: d, Executable: true}})
}

// programs are the names of what is linked.
func (c *cargoRun) programs() []string {
	var names []string
	for _, bin := range c.g.bins {
		names = append(names, c.t.s.OutputOf(bin))
	}
	return names
}

// outputs are the files kept, relative to the exec root.
func (c *cargoRun) outputs() []string {
	release := path.Join("target", c.t.triple, "release")
	if c.host() {
		release = "target/release"
	}
	var out []string
	switch c.t.s.Artifact {
	case recipe.ArtifactStaticlib:
		for _, p := range c.g.packages {
			out = append(out, path.Join(release, c.t.s.OutputOf(p)))
		}
	case recipe.ArtifactObject:
		out = append(out, "object/"+c.t.s.OutputOf(c.g.packages[0]))
	default:
		for _, name := range c.programs() {
			out = append(out, path.Join(release, name))
		}
	}
	return out
}
