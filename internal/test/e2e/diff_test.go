package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/test/wants"
)

// The same programs by both backends; then one of them made to differ, which has to be noticed.
func TestBackendsAgree(t *testing.T) {
	wants.Cranelift.On(t)
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		t.Skip("there is no QEMU")
	}
	w := setUp(t)
	out := w.mustRun(t, "test:diff")
	if !strings.Contains(out, "cases the same by both backends") {
		t.Errorf("it does not say what was compared:\n%s", out)
	}
	report := filepath.Join(w.checkout, "out", target, "test", "diff.xml")
	b, err := os.ReadFile(report)
	check(t, err)
	if n := strings.Count(string(b), "<testcase "); n < 200 {
		t.Errorf("the report has %d cases", n)
	}

	edit := func(file, from, to string) {
		t.Helper()
		path := filepath.Join(w.checkout, "recipes", "difftest", file)
		b, err := os.ReadFile(path)
		check(t, err)
		if strings.Count(string(b), from) != 1 {
			t.Fatalf("%s does not have %q once", file, from)
		}
		check(t, os.WriteFile(path, []byte(strings.Replace(string(b), from, to, 1)), 0o644))
		t.Cleanup(func() { check(t, os.WriteFile(path, b, 0o644)) })
	}
	edit("cases/src/bin/panics.rs", `put!(c, "reached");`, `put!(c, "{}", option_env!("DIFFTEST").unwrap_or("reached"));`)
	edit("recipe.toml", "name = \"cranelift\"\nkind = \"cargo\"\n", "name = \"cranelift\"\nkind = \"cargo\"\nenv = { DIFFTEST = \"elsewhere\" }\n")
	out, err = w.run(t, "test:diff")
	if err == nil {
		t.Fatal("a difference was not noticed")
	}
	for _, want := range []string{"1 of ", "panic/before", "llvm:      reached", "cranelift: elsewhere"} {
		if !strings.Contains(out, want) {
			t.Errorf("the failure does not have %q:\n%s", want, out)
		}
	}
}
