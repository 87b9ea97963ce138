package boottest

import (
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// The descriptions and boot tests of the repository are read as a user's would be.
func TestShippedImagesParse(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	s.Config.Root = filepath.Join("..", "..", "..")
	for _, name := range diskbuild.Names(s, "images") {
		if _, err := diskbuild.Describe(s, diskbuild.Flags{Name: name}); err != nil {
			t.Error(err)
		}
	}
	names := diskbuild.Names(s, filepath.Join("images", "boot"))
	if len(names) == 0 {
		t.Error("no boot tests")
	}
	for _, name := range names {
		test, err := load(s, name)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := test.Script(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
