package pin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// TestKnownCompilers: what is written down of the two compilers gives the golden files of package targetspec.
func TestKnownCompilers(t *testing.T) {
	s := &session.Session{Config: &config.Config{Root: "../../.."}}
	for _, release := range []string{"1.94", "1.96"} {
		golden, err := filepath.Glob(filepath.Join("../../targetspec/testdata", release, "*.json"))
		if err != nil || len(golden) == 0 {
			t.Fatal(release, err)
		}
		for _, path := range golden {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			s.Streams.Out = &out
			triple := strings.TrimSuffix(filepath.Base(path), ".json")
			if err := TargetSpec(t.Context(), s, SpecOptions{Triple: triple, Compiler: release}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("%s for %s: %s", triple, release, diff)
			}
		}
	}
	if err := TargetSpec(t.Context(), s, SpecOptions{Compiler: "1.2"}); err == nil || !strings.Contains(err.Error(), "known are 1.94.0-nightly, 1.96.0-nightly") {
		t.Errorf("got %v", err)
	}
}

// TestTargetList: a line for each target for people, and the same as JSON.
func TestTargetList(t *testing.T) {
	var out bytes.Buffer
	s := &session.Session{Config: &config.Config{Root: "../../.."}, Streams: session.Streams{Out: &out}}
	if err := TargetList(s, false); err != nil || !strings.Contains(out.String(), "\nx86_64-unknown-redox-clif-kernel         kernel  ") {
		t.Errorf("%v\n%s", err, &out)
	}
	lines := strings.Count(out.String(), "\n")
	out.Reset()
	if err := TargetList(s, true); err != nil || strings.Count(out.String(), `"kind": `) != lines {
		t.Errorf("%d lines, %v\n%s", lines, err, &out)
	}
}
