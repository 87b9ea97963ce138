package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// What `mage fetch` gets is enough for an image without a network.
func TestFetchImagePackages(t *testing.T) {
	const target = "aarch64-unknown-redox"
	s, repo := sessiontest.PackageWorld(t, target)
	sessiontest.WriteFile(t, filepath.Join(s.Config.Root, "images", "a.toml"), "size-mib = 16\npackages = ['greeter']\n", 0o644)
	sessiontest.WriteFile(t, filepath.Join(s.Config.Root, "images", "b.toml"), "size-mib = 16\npackages = ['ncurses', 'greeter']\n", 0o644)
	if err := fetchImagePackages(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s.Config.Offline = true
	if err := os.RemoveAll(filepath.Join(repo, target)); err != nil {
		t.Fatal(err)
	}
	got, err := packages.Fetch(t.Context(), s, []pkgrepo.Name{"greeter", "ncurses"}, packages.Choice{})
	if err != nil || len(got) != 3 { // words comes with greeter
		t.Errorf("%v, %d packages", err, len(got))
	}
	if _, err := packages.Fetch(t.Context(), s, []pkgrepo.Name{"vim"}, packages.Choice{}); err == nil {
		t.Error("what no image names was fetched too")
	}
}
