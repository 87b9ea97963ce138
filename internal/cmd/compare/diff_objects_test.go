package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/difftest"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// fakeRustc leaves no object file and says something.
func fakeRustc(stderr string, err error) toolchain.Runner {
	return func(context.Context, ...string) ([]byte, []byte, error) { return nil, []byte(stderr), err }
}

func newObjectCompiler(t *testing.T) *objectCompiler {
	t.Helper()
	spec, err := targetspec.Load(os.DirFS("../../../targets"), "aarch64-unknown-redox-clif")
	if err != nil {
		t.Fatal(err)
	}
	return &objectCompiler{dir: t.TempDir(), spec: spec, sources: os.DirFS("../../../recipes/difftest/objects"),
		tools: &session.Toolchain{Toolchain: &toolchain.Toolchain{Rustc: "rustc"}, Caps: &toolchain.Capabilities{}}}
}

func TestCompileObject(t *testing.T) {
	o := &difftest.Object{Name: "object_format", Refused: "format is unknown", Spec: map[string]any{"llvm-target": "aarch64-unknown-none"}}
	for _, test := range []struct {
		stderr string
		err    error
		want   string // the defect, or behind "error " what the error says
	}{
		{"thread panicked: binary format is unknown", errors.New("exit status 101"), "format is unknown"},
		{"warning: the format is unknown, no file", nil, "format is unknown"},
		{"error: something else", errors.New("exit status 1"), "error not in the way that is known"},
	} {
		c := newObjectCompiler(t)
		c.run = fakeRustc(test.stderr, test.err)
		got, err := c.compile(t.Context(), o, difftest.Tested)
		if err != nil {
			got = "error " + err.Error()
		}
		if !strings.HasPrefix(test.want, "error ") && got != test.want || !strings.Contains(got, strings.TrimPrefix(test.want, "error ")) {
			t.Errorf("%q: %q", test.stderr, got)
		}
		spec, err := os.ReadFile(filepath.Join(c.dir, "cranelift-object_format.json"))
		if err != nil || !strings.Contains(string(spec), `"llvm-target":"aarch64-unknown-none"`) || !strings.Contains(string(spec), `"os":"redox"`) {
			t.Errorf("%s, %v", spec, err)
		}
	}
}

// What a toolchain says it was built with, and nothing where it says nothing.
func TestAppliedPatches(t *testing.T) {
	dir := t.TempDir()
	in := rustbuild.Inputs{Name: "fake", Release: "1.96.0"}
	text := fmt.Sprintf("name = 'fake'\nrelease = '1.96.0'\nidentity = '%s'\ncontent = '%s'\napplied = ['cg_clif/0001-x.toml: the backend', 'other/0002-y.toml: not the backend']\n",
		in.Identity(), strings.Repeat("0", 64))
	file := filepath.Join(dir, rustbuild.ManifestName)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := appliedPatches(&toolchain.Toolchain{Dir: dir}); len(got) != 1 || !got["0001-x"] {
		t.Errorf("%v", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := appliedPatches(&toolchain.Toolchain{Dir: dir}); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
