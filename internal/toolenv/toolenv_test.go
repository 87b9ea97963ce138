package toolenv

import (
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
