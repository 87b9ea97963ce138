package redoxfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// A secret key gets into no image, neither as a file of the host nor as a text; the tool, which is not there, is not even asked.
func TestSecretKeyIsNotWritten(t *testing.T) {
	key := `salt = "` + strings.Repeat("a1", 32) + "\"\nnonce = \"" + strings.Repeat("b2", 24) + "\"\nskey = \"" + strings.Repeat("c3", 64) + "\"\n"
	host := filepath.Join(t.TempDir(), "song.ogg")
	if err := os.WriteFile(host, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	v := redoxfs.Volume{Tool: "/none"}
	for _, op := range []redoxfs.Op{{Op: redoxfs.OpFile, Path: "/a", From: host}, {Op: redoxfs.OpFile, Path: "/a", Text: &key}} {
		_, err := v.Apply(t.Context(), []redoxfs.Op{op}, redoxfs.ApplyOptions{})
		if found := (*secretkey.Error)(nil); !errors.As(err, &found) {
			t.Errorf("error %v", err)
		}
	}
}
