package builder

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// linkOf is the run that links redoxfs, of a recipe that is changed before, and what it is given: a line with an object,
// a sysroot with CRT objects and a standard library.
func linkOf(t *testing.T, change func(*recipe.Step)) (*linkRun, graph.Outputs) {
	t.Helper()
	b := newBuilder(t, nil)
	r := *b.o.Sources.Recipes["redoxfs"]
	r.Steps = slices.Clone(r.Steps)
	s := &r.Steps[0]
	s.Output = "redoxfs"
	if change != nil {
		change(s)
	}
	c := &cargoRun{t: newStep(b, &r, s), id: "redoxfs/redoxfs", g: group{recipe.Cranelift, []string{"redoxfs"}, []string{"redoxfs"}}}
	if _, err := c.check(); err != nil {
		t.Fatal(err)
	}
	line := &recordedLine{t: c.t, compile: &graph.Node{ID: "redoxfs/redoxfs"}, run: c}
	l := &linkRun{c.t, line}
	if _, err := l.check(); err != nil {
		t.Fatal(err)
	}
	tree := func(files map[string]string) cas.Digest {
		t.Helper()
		stored := cas.NewTree()
		for p, text := range files {
			d, err := b.store.PutBytes([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			stored.Entries[p] = cas.Entry{Digest: d}
		}
		d, err := b.store.PutTree(stored)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	recorded := linkline.Line{Args: []string{"-flavor", "gnu", "crt0.o", "%{root}/in/redoxfs.o", "none.o", linkline.Arguments, "-o", "%{root}/out/redoxfs"}}
	in := graph.Outputs{
		line.compile: tree(map[string]string{"redoxfs/line": string(recorded.Encode()), "redoxfs/in/redoxfs.o": "object", "other/line": "of another program"}),
		line.sysroot: tree(map[string]string{"root/lib/crt0.o": "crt0", "root/lib/libc.a": "libc"}),
		c.std:        tree(map[string]string{"lib/libcore.rlib": "core"}),
	}
	for _, n := range append(nodesOf(line.script), c.sources) {
		in[n] = tree(map[string]string{"src/main.rs": "fn main() {}", "src/flat.ld": "SECTIONS {}"})
	}
	return l, in
}

func planned(t *testing.T, l *linkRun, in graph.Outputs) *action.Action {
	t.Helper()
	a, err := l.plan(in)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAProgramIsLinkedOfItsLineAndTheSysroot(t *testing.T) {
	l, in := linkOf(t, func(s *recipe.Step) {
		s.RustFlags, s.Script = []string{"--cap-lints=warn", "-Clink-arg=-lm"}, "source/flat.ld"
	})
	a := planned(t, l, in)
	want := []string{toolenv.LLD, "-flavor", "gnu", "%{root}/sysroot/lib/crt0.o", "%{root}/in/redoxfs.o", "none.o",
		"--icf=all", "-T", "%{root}/script/flat.ld", "-lm", "-o", "%{root}/out/redoxfs"}
	if diff := cmp.Diff(want, a.Args); diff != "" {
		t.Error(diff)
	}
	inputs, err := l.t.b.store.LoadTree(a.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, p := range inputs.Paths() {
		if !inputs.Entries[p].Dir {
			files = append(files, p)
		}
	}
	if diff := cmp.Diff([]string{"in/redoxfs.o", "script/flat.ld", "std/lib/libcore.rlib", "sysroot/lib/crt0.o", "sysroot/lib/libc.a"}, files); diff != "" {
		t.Error(diff)
	}
}

// The image of a firmware program would have a hash of the folder that it was linked in.
func TestFirmwareIsLinkedWithoutAPDB(t *testing.T) {
	for target, want := range map[recipe.TargetKind]bool{recipe.TargetUEFI: true, recipe.TargetKernel: false, recipe.TargetUser: false} {
		l, in := linkOf(t, func(s *recipe.Step) { s.Target = target })
		if args := planned(t, l, in).Args; slices.Contains(args, noPDB) != want {
			t.Errorf("%s: %q", target, args)
		}
	}
}

// Seconds, not minutes: what is for the linker alone is in no compile.
func TestWhatIsForTheLinkerAloneCompilesNothing(t *testing.T) {
	compiled := func(change func(*recipe.Step)) (cas.Digest, cas.Digest) {
		t.Helper()
		l, in := linkOf(t, change)
		c := l.line.(*recordedLine).run
		a, err := c.plan(in)
		if err != nil {
			t.Fatal(err)
		}
		return a.Digest(), planned(t, l, in).Digest()
	}
	compile, link := compiled(nil)
	for what, change := range map[string]func(*recipe.Step){
		"a link argument": func(s *recipe.Step) { s.RustFlags = []string{"-C", "link-arg=-lm"} },
		"a linker script": func(s *recipe.Step) { s.Script = "source/flat.ld" },
	} {
		if c, l := compiled(change); c != compile || l == link {
			t.Errorf("%s: compiled again %t, linked again %t", what, c != compile, l != link)
		}
	}
	if c, _ := compiled(func(s *recipe.Step) { s.RustFlags = []string{"-Copt-level=1"} }); c == compile {
		t.Error("another flag of the compiler compiles nothing")
	}
}

// The target spec names the CRT objects; a recipe that does so as well would link them twice.
func TestCRTObjectsOfARecipeAreRefused(t *testing.T) {
	for flag, want := range map[string]string{"-Clink-arg=-z": "", "-Clink-arg=%{root}/sysroot/lib/crt0.o": "crt0.o is on the link line 2 times"} {
		b := newBuilder(t, nil)
		r := b.o.Sources.Recipes["base"]
		r.Steps[0].RustFlags = []string{flag}
		_, err := b.Stage("base")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// One program that does not link is one step that fails, with the words that somebody can do something with.
func TestAnUndefinedSymbolIsNamedWithTheCrateThatWantsIt(t *testing.T) {
	l, in := linkOf(t, nil)
	b := l.t.b
	lld := filepath.Join(t.TempDir(), "lld")
	says := "rust-lld: error: undefined symbol: redox_frobnicate\n>>> referenced by lib.rs\n" +
		">>>               syscall-0123456789abcdef.syscall.77-cgu.0.rcgu.o:(syscall::call::frob) in archive /x/in/libsyscall-0123456789abcdef.rlib\n"
	if err := os.WriteFile(lld, []byte("#!/bin/sh\ncat <<'E' >&2\n"+says+"E\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.roots.Expand = map[string]string{toolenv.LLD: lld, toolenv.BinDir: "/usr/bin"}
	var log strings.Builder
	_, err := l.run(t.Context(), &graph.Job{Action: planned(t, l, in), Inputs: in, Log: &log})
	var failed *execroot.CommandError
	if !errors.As(err, &failed) || !strings.HasPrefix(err.Error(), "error: linking redoxfs failed: undefined symbol: redox_frobnicate (wanted by syscall in syscall::call::frob)") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), says) {
		t.Errorf("the log has not what the linker said: %s", log.String())
	}
}

func TestALinkWithoutALineIsAnError(t *testing.T) {
	l, in := linkOf(t, func(s *recipe.Step) { s.Output = "other" })
	if _, err := l.plan(in); err == nil || !strings.Contains(err.Error(), "arguments of the step") {
		t.Errorf("got %v", err)
	}
	l, in = linkOf(t, func(s *recipe.Step) { s.Output = "missing" })
	if _, err := l.plan(in); err == nil || !strings.Contains(err.Error(), "there is no folder missing") {
		t.Errorf("got %v", err)
	}
}
