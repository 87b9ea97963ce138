package ide

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesSayTheSame: the shell file and the workspace lead to the same configuration, in folders with blanks and quotes too.
func TestFilesSayTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's "here"`)
	p := Project{Name: "n", Dir: dir, Source: "/s", Toolchain: "/t", Spec: "/spec.json", Std: dir + "/std", Flags: []string{"-Zunstable-options"}, JSONSpec: true,
		Features: []string{"f"}, CargoHome: filepath.Join(dir, "user"), Download: "[net]\nretry = 3\n", Mirrors: map[string]string{"https://a/": "/b c/"}}
	for range 2 { // again, over what is there
		f, err := p.Write()
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sh", "-c", `. "$0" && printf '%s|%s|%s|%s' "$CARGO_HOME" "$RUSTUP_TOOLCHAIN" "$GIT_CONFIG_KEY_0" "${PATH%%:*}"`, f.Env).CombinedOutput()
		if want := dir + "/cargo|/t|url./b c/.insteadOf|/t/bin"; err != nil || string(out) != want {
			t.Errorf("%v %q, want %q", err, out, want)
		}
		var workspace struct {
			Folders  []struct{ Path string }
			Settings map[string]any
		}
		text, err := os.ReadFile(f.Workspace)
		if err != nil || json.Unmarshal(text, &workspace) != nil || workspace.Folders[0].Path != "/s" {
			t.Fatalf("%v %s", err, text)
		}
		env := workspace.Settings["rust-analyzer.server.extraEnv"].(map[string]any)
		if env["CARGO_HOME"] != dir+"/cargo" || env["GIT_CONFIG_VALUE_0"] != "https://a/" {
			t.Errorf("%v", env)
		}
	}
	config, err := os.ReadFile(filepath.Join(dir, "cargo", "config.toml"))
	if err != nil || !strings.Contains(string(config), "retry = 3\n\n[build]\ntarget = \"/spec.json\"\n") || !strings.Contains(string(config), "json-target-spec = true") {
		t.Errorf("%v %s", err, config)
	}
	if to, err := os.Readlink(filepath.Join(dir, "cargo", "registry")); err != nil || to != filepath.Join(dir, "user", "registry") {
		t.Errorf("%q %v", to, err)
	}
}
