package graph

import (
	"context"
	"fmt"
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
		fmt.Fprintf(job.Log, "before\nskey = \"%s", key[:50])
		fmt.Fprintf(job.Log, "%s\"\nafter\n", key[50:])
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
