package targetspec

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pannous/redox-clif/internal/test/wants"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files and the generated targets")

// The two compilers this project is tested with, as package toolchain measures
// them.
var (
	pin   = knownCompilers()[0]
	later = knownCompilers()[1]
)

const targets = "../../targets"

func TestGolden(t *testing.T) {
	triples, err := Triples(os.DirFS(targets))
	if err != nil || len(triples) != 6 {
		t.Fatalf("want 6 targets, got %v, %v", triples, err)
	}
	for _, triple := range triples {
		spec, err := Load(os.DirFS(targets), triple)
		if err != nil {
			t.Error(err)
			continue
		}
		golden(t, spec, pin, filepath.Join("testdata", "1.94", triple+".json"))
		golden(t, spec, later, filepath.Join("testdata", "1.96", triple+".json"))
	}
}

func golden(t *testing.T, spec *Spec, compiler Compiler, file string) {
	t.Helper()
	if *update {
		text, err := spec.JSON(compiler)
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := spec.Check(file, compiler); err != nil {
		t.Errorf("%v (go test ./internal/targetspec -update)", err)
	}
}

// TestKnownCompiler: by release, in part or whole, and what is known when it is not.
func TestKnownCompiler(t *testing.T) {
	for release, want := range map[string]Compiler{"1.94": pin, "1.94.0": pin, "1.94.0-nightly": pin, "1.96": later} {
		if got, err := KnownCompiler(release); err != nil || !got.Equal(want) || got.Release != want.Release {
			t.Errorf("%s: %+v, %v", release, got, err)
		}
	}
	for _, release := range []string{"", "1.9", "1.2"} {
		if c, err := KnownCompiler(release); err == nil || !strings.Contains(err.Error(), "known are 1.94.0-nightly, 1.96.0-nightly") {
			t.Errorf("%q: %+v, %v", release, c, err)
		}
	}
	if pin.Equal(later) || !strings.HasPrefix(pin.GoString(), `{Release:"1.94.0-nightly", `) {
		t.Errorf("%#v", pin)
	}
}

func TestCompilersDiffer(t *testing.T) {
	spec, err := Load(os.DirFS(targets), "aarch64-unknown-redox-clif-kernel")
	if err != nil {
		t.Fatal(err)
	}
	old := Compiler{PointerWidthString: true}
	for _, test := range []struct {
		compiler Compiler
		has, not string
	}{
		{pin, `"abi": "softfloat"`, `"rustc-abi"`},
		{later, `"rustc-abi": "softfloat"`, `"64"`},
		{old, `"target-pointer-width": "64"`, `"rustc-abi"`},
	} {
		text, err := spec.JSON(test.compiler)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), test.has) || strings.Contains(string(text), test.not) {
			t.Errorf("%s: want %s and not %s in\n%s", test.compiler.Release, test.has, test.not, text)
		}
	}
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

const complete = `kind = "uefi"
arch = "aarch64"
os = "uefi"
llvm-target = "l"
data-layout = "d"
linker-flavor = "msvc-lld"
binary-format = "coff"
pointer-width = 64
`

func TestMergingRules(t *testing.T) {
	fsys := fstest.MapFS{
		"base/root.toml": file(complete + `
features = ["+a", "-b", "+c"]
target-family = ["unix"]
singlethread = true
[pre-link-args]
one = ["root"]
`),
		"base/left.toml":  file("inherits = ['base/root']\ncpu = 'left'\n[pre-link-args]\none = ['left']\n"),
		"base/right.toml": file("inherits = ['base/root']\ncpu = 'right'\n[pre-link-args]\ntwo = ['right']\n"),
		"t.toml": file("inherits = ['base/left', 'base/right']\nfeatures = ['+b', '+d']\nsinglethread = false\n" +
			"target-family = []\n[pre-link-args]\none = ['own']\n"),
	}
	spec, err := Load(fsys, "t")
	if err != nil {
		t.Fatal(err)
	}
	got, err := spec.JSON(Compiler{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "arch": "aarch64",
  "binary-format": "coff",
  "cpu": "right",
  "data-layout": "d",
  "features": "+a,+c,+b,+d",
  "linker-flavor": "msvc-lld",
  "llvm-target": "l",
  "os": "uefi",
  "pre-link-args": {
    "one": [
      "root",
      "left",
      "own"
    ],
    "two": [
      "right"
    ]
  },
  "singlethread": false,
  "target-family": [],
  "target-pointer-width": 64
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestLoadErrors(t *testing.T) {
	fsys := fstest.MapFS{
		"cycle.toml":  file("inherits = ['base/a']"),
		"base/a.toml": file("inherits = ['base/b']"),
		"base/b.toml": file("inherits = ['base/a']"),
		"orphan.toml": file("inherits = ['base/gone']"),
		"escape.toml": file("inherits = ['../x']"),
		"typo.toml":   file("archh = 'x'\npointer-width = '64'\n"),
		"empty.toml":  file("kind = 'kernel'\nfeatures = ['neon']\n"),
		"pie.toml": file("kind = 'user'\nposition-independent-executables = true\n" +
			"[pre-link-objects]\nstatic-nopic-exe = ['/opt/crt0.o']\n"),
		"none.toml": file(complete + "soft-float = true"),
	}
	tests := []struct {
		triple string
		want   []string
	}{
		{"cycle", []string{"base/a inherits base/b inherits base/a"}},
		{"orphan", []string{"base/gone.toml", "inherited by orphan"}},
		{"escape", []string{"../x.toml is no file of targets/"}},
		{"typo", []string{`targets/typo.toml:1:1: unknown key "archh"; did you mean "arch"?`, `typo.toml:2:17: key "pointer-width" must be an integer`}},
		{"empty", []string{"arch is not set", "os is not set", "pointer-width is not set", `feature "neon" must start with`, "needs disable-redzone"}},
		{"pie", []string{"position-independent-executables = false", `"/opt/crt0.o" must be a bare file name`, "needs post-link-objects"}},
		{"missing", []string{"no target missing; there are cycle, empty, escape, none, orphan, pie, typo"}},
		{"base/a", []string{`"base/a" is no target name`}},
	}
	for _, test := range tests {
		_, err := Load(fsys, test.triple)
		if err == nil {
			t.Errorf("%s: no error", test.triple)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want %q in\n%v", test.triple, want, err)
			}
		}
	}
	if _, err := Load(fsys, "missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: want fs.ErrNotExist, got %v", err)
	}
}

func TestKernelNeedsAnObjectFormat(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(targets, "base", "aarch64.toml"))
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"base/aarch64.toml": file(strings.ReplaceAll(string(text), "unknown-redox", "unknown-none"))}
	for _, name := range []string{"aarch64-unknown-redox-clif-kernel", "base/kernel", "base/lld"} {
		text, err := os.ReadFile(filepath.Join(targets, name+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		fsys[name+".toml"] = file(string(text))
	}
	if _, err := Load(fsys, "aarch64-unknown-redox-clif-kernel"); err == nil || !strings.Contains(err.Error(), "object format") {
		t.Errorf("want the rule about the object format, got %v", err)
	}
}

// TestEveryFieldIsWritten sets each field on its own and looks for its key in
// the JSON, so that a new field cannot be forgotten there or in the merging.
func TestEveryFieldIsWritten(t *testing.T) {
	text, number, yes, arch := "text", 3, true, "x86_64"
	ours := map[string]string{"pointer-width": "target-pointer-width", "soft-float": "rustc-abi", "description": "metadata"}
	fields := reflect.TypeFor[Spec]()
	for i := range fields.NumField() {
		key := fields.Field(i).Tag.Get("toml")
		file := &Spec{Arch: &arch}
		switch into := reflect.ValueOf(file).Elem().Field(i).Addr().Interface().(type) {
		case **string:
			*into = &text
		case **int:
			*into = &number
		case **bool:
			*into = &yes
		case *[]string:
			*into = []string{"+a"}
		case *map[string][]string:
			*into = map[string][]string{"gnu": {"x"}}
		case *string:
			*into = text
		}
		switch key {
		case "-", "inherits", "kind":
			continue // these steer the build and are not rustc's
		case "arch":
			file.Arch = &arch // its value decides about soft-float
		}
		if ours[key] != "" {
			key = ours[key]
		}
		merged := &Spec{}
		merged.merge(file)
		got, err := merged.JSON(later)
		if err != nil || !strings.Contains(string(got), `"`+key+`":`) {
			t.Errorf("%s is not in the JSON: %v\n%s", key, err, got)
		}
	}
}

func TestUnknownSoftFloat(t *testing.T) {
	arch, yes := "riscv64", true
	if _, err := (&Spec{Triple: "r", Arch: &arch, SoftFloat: &yes}).JSON(pin); err == nil {
		t.Error("no error")
	}
}

func TestCheckFindsTheLine(t *testing.T) {
	spec, err := Load(os.DirFS(targets), "aarch64-unknown-redox-clif")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.json")
	var drift *Drift
	if err := spec.Check(path, pin); !errors.As(err, &drift) || drift.Line != 0 {
		t.Errorf("a missing file: %v", err)
	}
	text, err := spec.JSON(pin)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `"os": "redox"`, `"os": "linux"`, 1)
	for _, found := range []string{changed, string(text) + "x", string(text[:len(text)-3])} {
		if err := os.WriteFile(path, []byte(found), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := spec.Check(path, pin); !errors.As(err, &drift) || drift.Line == 0 || drift.Want == drift.Got {
			t.Errorf("got %v", err)
		}
	}
}

func run(ctx context.Context, argv ...string) (stdout, stderr []byte, err error) {
	var out, problems strings.Builder
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	return []byte(out.String()), []byte(problems.String()), err
}

// TestRustcAccepts asks the real compilers when they are named:
// REDOX_TEST_RUSTC_194 and REDOX_TEST_RUSTC_196 are paths of rustc.
func TestRustcAccepts(t *testing.T) {
	for _, named := range []struct {
		compiler Compiler
		rustc    wants.Variable
	}{{pin, wants.Rustc194}, {later, wants.Rustc196}} {
		version := strings.TrimSuffix(named.compiler.Release, ".0-nightly")
		t.Run(version, func(t *testing.T) {
			rustc := named.rustc.On(t)
			files, err := filepath.Glob(filepath.Join("testdata", version, "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no golden files: %v", err)
			}
			for _, file := range files {
				cfg, err := Validate(t.Context(), run, rustc, file)
				if err != nil || !strings.Contains(strings.Join(cfg, "\n"), "target_pointer_width=\"64\"") {
					t.Errorf("%v\n%s", err, cfg)
				}
			}
			broken := filepath.Join(t.TempDir(), "broken.json")
			if err := os.WriteFile(broken, []byte(`{"arch": "aarch64"}`), 0o644); err != nil {
				t.Fatal(err)
			}
			var rejected *Rejected
			if _, err := Validate(t.Context(), run, rustc, broken); !errors.As(err, &rejected) {
				t.Errorf("want rustc's refusal, got %v", err)
			}
		})
	}
}
