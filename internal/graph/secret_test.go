package graph

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
)

// A build script that prints a secret key does not get it into the log, which people show around.
func TestNoSecretKeyInALog(t *testing.T) {
	w := newWorld(t)
	a := w.concat("a", ptr("A"))
	run, key := a.Run, strings.Repeat("c3", 64)
	a.Run = func(ctx context.Context, job *Job) (cas.Digest, error) {
		for _, part := range []string{"before\nskey = \"" + key[:50], key[50:] + "\"\nafter\n"} {
			if _, err := io.WriteString(job.Log, part); err != nil {
				return cas.Digest{}, err
			}
		}
		return run(ctx, job)
	}
	w.build(a)
	text, err := os.ReadFile(filepath.Join(w.LogDir, LogName("a")))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "before\nskey = \"(a secret key)\"\nafter\n") || strings.Contains(string(text), "c3c3") {
		t.Errorf("%s", text)
	}
}
