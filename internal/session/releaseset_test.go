package session

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// What lies in the checkout once for all sets is the active one's: a build in a set with another compiler leaves it alone.
func TestASetWithAPinOfItsOwnLeavesGeneratedFilesAlone(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "targets"), os.DirFS("../../targets")); err != nil {
		t.Fatal(err)
	}
	json := filepath.Join(root, "targets", "aarch64-unknown-uefi-clif.json")
	for pin, rewritten := range map[string]bool{"": true, filepath.Join(root, "toolchain/sets/x/toolchain.toml"): false} {
		if err := os.WriteFile(json, []byte("before"), 0o644); err != nil {
			t.Fatal(err)
		}
		stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		s := &Session{Config: &config.Config{Root: root, Target: "t", SetPin: pin}, Streams: Streams{Err: stderr}}
		tool := &Toolchain{Toolchain: &toolchain.Toolchain{Provider: toolchain.FromRustup}, Caps: &toolchain.Capabilities{NoWeakLinkage: true}}
		if err := s.writeSpecs(tool); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(json)
		if err != nil || (string(text) != "before") != rewritten {
			t.Errorf("pin %q: %v, %s", pin, err, text)
		}
		if text, err := os.ReadFile(filepath.Join(root, "out/t/spec", filepath.Base(json))); err != nil || len(text) == 0 {
			t.Errorf("pin %q: the specification for people is not there: %v", pin, err)
		}
	}
}
