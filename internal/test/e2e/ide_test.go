package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rust-analyzer, told of a source by mage ide, finds nothing wrong with it, takes it for the target's, and finds definitions in core.
func TestRustAnalyzerKnowsTheTargetAndItsLibrary(t *testing.T) {
	w := setUp(t)
	analyzer := rustAnalyzer(t)
	shown(t, w.mustRun(t, "ide", "demo"), "out/ide/demo/demo.code-workspace")
	index := filepath.Join(t.TempDir(), "index.scip")
	in := func(command string) string {
		t.Helper()
		cmd := exec.Command("sh", "-c", `. ../../out/ide/demo/env.sh && `+command)
		cmd.Dir = filepath.Join(w.checkout, "recipes", "demo")
		cmd.Env = append(os.Environ(), "ANALYZER="+analyzer, "INDEX="+index)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	if out := in(`"$ANALYZER" diagnostics .`); strings.Contains(out, "Error") || !strings.Contains(out, "scan complete") {
		t.Errorf("%s", out)
	}
	// What is only for another architecture would be inactive.
	if out := in(`"$ANALYZER" diagnostics .`); strings.Contains(out, `target_arch = "aarch64" is disabled`) {
		t.Errorf("%s", out)
	}
	in(`"$ANALYZER" scip . --output "$INDEX"`)
	text, err := os.ReadFile(index)
	check(t, err)
	for _, symbol := range []string{"rust-analyzer cargo core ", "rust-analyzer cargo demo-rt "} {
		if !bytes.Contains(text, []byte(symbol)) {
			t.Errorf("the index has no symbol of %q", symbol)
		}
	}
	in(`cargo check --quiet -p demo-hello`)
	// A mistake is told with its place.
	file := filepath.Join(w.checkout, "recipes", "demo", "hello", "src", "main.rs")
	good, err := os.ReadFile(file)
	check(t, err)
	t.Cleanup(func() { check(t, os.WriteFile(file, good, 0o644)) })
	check(t, os.WriteFile(file, append(good, "\nfn wrong() -> u32 { nowhere() }\n"...), 0o644))
	cmd := exec.Command("sh", "-c", `. ../../out/ide/demo/env.sh && cargo check -p demo-hello`)
	cmd.Dir = filepath.Join(w.checkout, "recipes", "demo")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "hello/src/main.rs:") {
		t.Errorf("%v\n%s", err, out)
	}
}

// rustAnalyzer is one that is installed: the one of PATH may be rustup's proxy, which has none for a toolchain that is a folder.
func rustAnalyzer(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	check(t, err)
	rustup := os.Getenv("RUSTUP_HOME")
	if rustup == "" {
		rustup = filepath.Join(home, ".rustup")
	}
	found, err := filepath.Glob(filepath.Join(rustup, "toolchains", "*", "bin", "rust-analyzer"))
	check(t, err)
	if len(found) == 0 {
		t.Skip("rust-analyzer is not installed: rustup component add rust-analyzer")
	}
	return found[0]
}
