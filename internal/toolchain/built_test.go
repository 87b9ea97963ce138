package toolchain

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What was built is in the lock beside the pinned channel, and outlives a change of the pin.
func TestLockOfBuiltToolchains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock.toml")
	lock := &Lock{Channel: "nightly-2026-01-02"}
	from := BuiltFrom{Identity: "1", Release: "1.96.0-nightly", Archive: "https://example.org/x", Source: "2", Stage0: "1.95.0", LLVM: "22.1.8", Flags: "3", Patches: "4", Applied: []string{"a: b"}}
	lock.RecordBuilt("cranelift-1.96.0", "x86_64-unknown-linux-gnu", from)
	if err := lock.Write(path); err != nil {
		t.Fatal(err)
	}
	back, err := LoadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	back.Record("nightly-2026-02-03", Version{Host: "x86_64-unknown-linux-gnu"}, &Identity{})
	if diff := cmp.Diff(from, back.Built["cranelift-1.96.0"]["x86_64-unknown-linux-gnu"]); diff != "" {
		t.Error(diff)
	}
	if back.Channel != "nightly-2026-02-03" {
		t.Error(back.Channel)
	}
}

// The stamp has to see everything that the digest depends on, and how files are grouped is part of that.
func TestStampSeesGroups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libstd.rlib")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	alone, err := stampOf([]part{{name: "lib/libstd.rlib", path: path}})
	if err != nil {
		t.Fatal(err)
	}
	grouped, err := stampOf([]part{{name: "lib/libstd.rlib", path: path, group: "lib"}})
	if err != nil || alone == grouped {
		t.Errorf("the same stamp %s, %v", grouped, err)
	}
}
