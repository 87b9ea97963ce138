package builder

import (
	"path"
	"strings"

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
	args := []string{toolenv.Cargo, verb, "--manifest-path", path.Join("%{root}/src", c.t.r.Cargo.Dir, c.t.s.Dir, "Cargo.toml"), "--locked", "--release"}
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

func (c *cargoRun) env() map[string]string {
	env := toolenv.ForCargo()
	for _, more := range []map[string]string{c.clang, c.t.s.Env} {
		for name, value := range more {
			env[name] = strings.ReplaceAll(value, commitWord, c.commit)
		}
	}
	if c.host() {
		env["CARGO_ENCODED_RUSTFLAGS"] = encodeFlags(append(remaps(), c.t.s.RustFlags...))
		return env
	}
	flags, _ := c.t.b.jsonTargetFlags()
	flags = append(flags, backendFlags(c.g.backend)...)
	if c.t.s.RulesOrDefault() == recipe.RulesProgram {
		flags = append(flags, sizeFlags(c.g.backend)...)
	}
	if c.std != nil {
		flags = append(flags, "--sysroot=%{root}/std")
	}
	if c.sysroot != nil {
		flags = append(flags, "-Lnative=%{root}/sysroot/lib")
	}
	if c.t.s.Script != "" {
		flags = append(flags, "-Clink-arg=-T", "-Clink-arg=%{root}/script/"+path.Base(c.t.s.Script))
	}
	flags = append(flags, remaps()...)
	if c.hasOwnStd() {
		env[ownStdVariable] = ownStd + "/library"
		flags = append(flags, "--remap-path-prefix="+ownStd+"=/rustc/std")
	}
	env["CARGO_ENCODED_RUSTFLAGS"] = encodeFlags(append(flags, c.t.s.RustFlags...))
	return env
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
		for _, bin := range c.g.bins {
			out = append(out, path.Join(release, c.t.s.OutputOf(bin)))
		}
	}
	return out
}
