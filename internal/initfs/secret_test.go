package initfs

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/secretkey"
)

// A secret key gets into no image, and nothing is written.
func TestSecretKeyIsNotPacked(t *testing.T) {
	key := `salt = "` + strings.Repeat("a1", 32) + "\"\nnonce = \"" + strings.Repeat("b2", 24) + "\"\nskey = \"" + strings.Repeat("c3", 80) + "\"\n"
	spec := testSpec(V1)
	spec.Root = dir("", dir("etc", file("motd", 0o644, key)))
	var out bytes.Buffer
	_, err := Write(t.Context(), &out, spec)
	var found *secretkey.Error
	if !errors.As(err, &found) || !strings.HasSuffix(found.Place, "etc/motd") || out.Len() > 0 {
		t.Errorf("%d bytes, error %v", out.Len(), err)
	}
}
