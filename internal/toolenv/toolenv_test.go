package toolenv

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The environment is a policy: every name has its reason beside it, and nothing else gets through.
func TestEnvironmentIsOursAlone(t *testing.T) {
	t.Setenv("RUSTFLAGS", "-Cleak")
	env := ForCargo()
	for name, want := range map[string]string{"CARGO_INCREMENTAL": "0", "RUSTC_WRAPPER": "", "CARGO_PROFILE_RELEASE_LTO": "off", "RUSTC": Rustc, "SOURCE_DATE_EPOCH": "0", "RUSTC_ICE": "0"} {
		if got, ok := env[name]; !ok || got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	for name, value := range env {
		if strings.Contains(value, "leak") || name == "RUSTFLAGS" {
			t.Errorf("%s=%s got through", name, value)
		}
	}
}

// A program of a package manager is found on a Mac, and never in place of Apple's; the path of other systems is in all keys.
func TestSystemPath(t *testing.T) {
	mac := filepath.SplitList(systemPath("darwin"))
	for _, dir := range []string{"/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin", "/nix/var/nix/profiles/default/bin"} {
		if at := slices.Index(mac, dir); at < slices.Index(mac, "/usr/bin") {
			t.Errorf("%s is at %d of %v", dir, at, mac)
		}
	}
	if got := systemPath("linux"); got != "/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin" {
		t.Errorf("another path gives every action another key, and NixOS has its programs in the last two: %s", got)
	}
}

// Whatever lies above an exec root, up to "/": cargo reads neither configuration there nor takes a package for a member of a
// workspace there.
func TestCargoSeesNothingAboveTheRoot(t *testing.T) {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		t.Skip("there is no cargo")
	}
	above, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(above, "work", "key")
	for name, text := range map[string]string{
		"../../.cargo/config.toml": "[build]\ntarget-dir = \"/leak\"\n",
		"../.cargo/config":         "[build]\ntarget-dir = \"/leak\"\n",
		"../../Cargo.toml":         "[workspace]\nmembers = [\"work/key/src\"]\n",
		"src/Cargo.toml":           "[package]\nname = \"p\"\nversion = \"0.1.0\"\n",
		"src/src/lib.rs":           "",
		"src/.cargo/config.toml":   "[build]\ntarget-dir = \"/leak\"\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	metadata := func(env map[string]string) (found struct {
		Target    string `json:"target_directory"`
		Workspace string `json:"workspace_root"`
	}) {
		t.Helper()
		cmd := exec.Command(cargo, "metadata", "--offline", "--no-deps", "--format-version=1", "--manifest-path", filepath.Join(root, "src/Cargo.toml"))
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CARGO_HOME="+t.TempDir())
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+strings.ReplaceAll(value, "%{root}", root))
		}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := metadata(map[string]string{CargoRoot: ForCargo()[CargoRoot]}); got.Workspace != filepath.Join(root, "src") || got.Target != filepath.Join(root, "src/target") {
		t.Errorf("found above: %+v", got)
	}
	if got := metadata(nil); got.Workspace != above || got.Target != "/leak" {
		t.Errorf("this test shows nothing: %+v", got)
	}
}
