package builder

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

const paperClang = "clang on paper 22.1"

func withClang(o *Options) { o.Tools.Clang = Clang{Path: "/bin/clang", Identity: paperClang} }

func TestAStepWithCInItGetsACompilerAndTheHeaders(t *testing.T) {
	b := newBuilder(t, withClang)
	r, s := b.o.Sources.Recipes["helix"], &b.o.Sources.Recipes["helix"].Steps[0]
	c := &cargoRun{t: newStep(b, r, s), id: "helix/helix"}
	if _, err := c.check(); err != nil {
		t.Fatal(err)
	}
	env := c.env()
	if got := env["CC_aarch64_unknown_redox_clif"]; got != toolenv.Clang {
		t.Errorf("CC is %q", got)
	}
	for _, flag := range []string{"--target=aarch64-unknown-redox", "-nostdlibinc", "-isystem %{root}/sysroot/include"} {
		if !strings.Contains(env["CFLAGS_aarch64_unknown_redox_clif"], flag) {
			t.Errorf("%q is not in %q", flag, env["CFLAGS_aarch64_unknown_redox_clif"])
		}
	}
	for _, name := range []string{"CC", "CFLAGS", "AR", "HOST_CC", "TARGET_CC"} {
		if v, set := env[name]; set {
			t.Errorf("%s=%s would reach what is compiled for the host", name, v)
		}
	}
	if got := b.compileSalt(s)["clang"]; got != paperClang {
		t.Errorf("the compiler in the digest is %q", got)
	}
	if env["HELIX_REVISION"] != r.Source.Commit {
		t.Errorf("the revision is %q", env["HELIX_REVISION"])
	}
	if !reaches(c.sysroot, "relibc-headers/headers") {
		t.Error("the headers are not in the sysroot of a step with C in it")
	}
	if reaches(c.sysroot, "relibc/libc") {
		t.Error("what compiles C waits for the C library")
	}
}

func TestCWithoutClangIsAnError(t *testing.T) {
	b := newBuilder(t, func(o *Options) { o.Tools.Clang.Install = "apt install clang" })
	_, err := b.Stage("helix")
	var missing *NoClangError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "apt install clang") {
		t.Errorf("got %v", err)
	}
}

// What is Rust alone is not built again for a header, and does not wait for cbindgen.
func TestRustAloneDoesNotDependOnHeaders(t *testing.T) {
	b := newBuilder(t, withClang)
	programs, err := b.Stage("base")
	if err != nil {
		t.Fatal(err)
	}
	if reaches(programs, "relibc-headers/headers") || reaches(programs, "cbindgen") {
		t.Error("base depends on the C headers")
	}
	if !reaches(programs, "relibc/libc") {
		t.Error("base does not depend on libc.a")
	}
	step, _ := b.o.Sources.Recipes["base"].Step("programs")
	if _, has := b.compileSalt(step)["clang"]; has {
		t.Error("the C compiler is in the digest of base")
	}
}

// Each takes its crates from there: those of programs compile the patched libc, the others only have their lock resolved.
func TestEveryStdTakesItsCratesFromThePatchedOnes(t *testing.T) {
	b := newBuilder(t, nil)
	for _, c := range []struct {
		kind recipe.TargetKind
		set  recipe.Std
	}{{recipe.TargetUser, recipe.StdFull}, {recipe.TargetUser, recipe.StdCore}, {recipe.TargetKernel, recipe.StdCore}} {
		n, err := b.std(c.kind, c.set, recipe.LLVM)
		if err != nil {
			t.Fatal(err)
		}
		if !reaches(n, "std/vendor") {
			t.Errorf("%q, %s: it takes them from elsewhere", c.kind, c.set)
		}
		empty, _ := b.store.Compose(nil, nil)
		in := graph.Outputs{}
		for _, d := range n.Deps {
			in[d] = empty
		}
		a, err := n.Plan(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(a.Args, `source.crates-io.replace-with="redox-clif-vendor"`) {
			t.Errorf("cargo is not told of the patched crates: %q", a.Args)
		}
	}
}

// fakeCbindgen writes the settings and the module it was given where a header belongs.
const fakeCbindgen = `#!/bin/sh
{ echo "/* $(basename "$(dirname "$1")") */"; cat "$3"; } > "$5"
`

func TestHeaders(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"cbindgen":                               fakeCbindgen,
		"src/cbindgen.globdefs.toml":             "[defines]\n",
		"src/src/header/stdio/cbindgen.toml":     "own = 1",
		"src/src/header/stdio/mod.rs":            "",
		"src/src/header/sys_types/cbindgen.toml": "",
		"src/src/header/_template/cbindgen.toml": "",
		"src/src/header/plain/mod.rs":            "",
		"src/include/bits/stdio.h":               "bits",
		"src/include/math.h":                     "relibc's",
		"src/openlibm/include/openlibm.h":        "openlibm",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "out/include")
	g := &headerMaker{tool: filepath.Join(dir, "cbindgen"), src: filepath.Join(dir, "src"), scratch: dir, out: out,
		job: &graph.Job{Log: io.Discard, Status: func(string) {}}, run: func(ctx context.Context, argv []string) ([]byte, error) {
			return exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		}}
	if err := g.all(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(out, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, _ := os.ReadFile(p)
			rel, _ := filepath.Rel(out, p)
			got[rel] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"stdio.h": "/* stdio */\nown = 1\n[defines]\n", "sys/types.h": "/* sys_types */\n\n[defines]\n",
		"bits/stdio.h": "bits", "math.h": "relibc's", "openlibm.h": "openlibm",
	} {
		if got[name] != want {
			t.Errorf("%s: %q", name, got[name])
		}
	}
	if len(got) != 5 {
		t.Errorf("there are %d headers: %q", len(got), got)
	}
}
